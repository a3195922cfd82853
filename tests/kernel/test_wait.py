"""
C{--wait}: an interface that is missing at the start (case 65).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.kernel.lab import KernelTestCase, Lab, pingFrom, suiteOf
from tests.kernel.namespaces import PREFIX, Namespace, eventually, makeLink
from tests.kernel.twistd import START, Twistd, environment, runToEnd

ETH0 = ("--iface", "eth0", "--prefix", PREFIX)
ADDRESS = "2001:db8::65"
MOST_CPU = 0.2
"""Seconds of a processor in one and a half that are nearly none."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class WaitTestCase(KernelTestCase):
    """
    What the tests here have in common.
    """

    def waiting(self, namespace: Namespace, seconds: str, *options: str) -> Twistd:
        """
        A start that waits.
        """
        service = self.track(Twistd(namespace, *ETH0, "--wait", seconds, *options))
        self.waitForLine(service, seconds)
        return service

    def waitForLine(self, service: Twistd, seconds: str) -> None:
        """
        Wait until it has said that it waits.
        """
        line = f"prefix64: waiting up to {seconds} seconds for interface 'eth0'\n"
        eventually(lambda: service.log() == line or service.process.poll() is not None, 20)
        self.assertEqual(service.log(), line)


class WaitTests(WaitTestCase):
    """
    In the foreground.
    """

    def twoNamespaces(self) -> Lab:
        """
        A lab without its link.
        """
        lab = Lab()
        self.addCleanup(lab.close)
        for namespace in (lab.router, lab.server):
            namespace.make()
        return lab

    def test_case65_appearsLater(self) -> None:
        """
        It is served as if it had been there, and what is said once is said once. Until then the
        process sleeps, and other interfaces that come and go do not end the wait.
        """
        lab = self.twoNamespaces()
        service = self.waiting(lab.server, "60")
        lab.server.ip("link add other type veth peer name peer0")
        lab.server.ip("link del other")
        self.assertLess(service.cpuSeconds(1.5), MOST_CPU)
        lab.join()
        service.waitForStart()
        self.assertAnsweredOnce(lab.ping(ADDRESS))
        self.assertIn(ADDRESS, lab.fetch(f"http://[{ADDRESS}]/"))
        service.stop()
        self.assertEqual(service.log().count("waiting"), 1)
        self.assertNotIn("Traceback", service.log())

    def test_case65_appearsUnderAnotherName(self) -> None:
        """
        As udev and container engines do it: made, moved and renamed.
        """
        lab = self.twoNamespaces()
        service = self.waiting(lab.server, "60")
        lab.router.ip("link add eth0 type veth peer name veth7")
        lab.router.ip(f"link set veth7 netns {lab.server.name}")
        lab.server.ip("link set veth7 name eth0")
        service.waitForStart()

    def test_case65_neverAppears(self) -> None:
        """
        One line more, which has the time, exit status 1 after it, nothing in the kernel.
        """
        namespace = self.makeNamespace()
        before = namespace.dump()
        begin = time.monotonic()
        service = self.waiting(namespace, "1.5")
        self.assertEqual(service.process.wait(20), 1)
        self.assertGreaterEqual(time.monotonic() - begin, 1.5)
        _, error = service.log().splitlines()
        self.assertEqual(
            error,
            "prefix64: --iface 'eth0': there is no such interface; there are: lo "
            "(waited 1.5 seconds)",
        )
        self.assertEqual(namespace.dump(), before)
        self.assertFalse((service.directory / "state").exists())

    def test_case65_withoutWait(self) -> None:
        """
        The start ends at once, in one line.
        """
        namespace, directory = self.makeNamespace(), self.makeDirectory()
        for options in ((), ("--wait", "0")):
            arguments = ["-n", "--pidfile=", "prefix64", "--state", "state", *ETH0, *options]
            done = runToEnd(namespace, arguments, directory)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(
                done.stderr,
                "prefix64: --iface 'eth0': there is no such interface; there are: lo\n",
            )

    def test_allChecksFollow(self) -> None:
        """
        What came is looked at like any other: a port of a bridge is refused, and IPv6 that is off.
        """
        for command, word in (
            ("link add eth0 type veth peer name peer0", "IPv6 is off"),
            ("link add eth0 master br0 type veth peer name peer0", "port of a bridge"),
        ):
            namespace = self.makeNamespace()
            namespace.ip("link add br0 type bridge")
            namespace.sysctl("conf/default/disable_ipv6", int("off" in word))
            service = self.waiting(namespace, "60")
            namespace.ip(command)
            self.assertEqual(service.process.wait(20), 1)
            _, error = service.log().splitlines()
            self.assertIn(word, error)

    def test_signals(self) -> None:
        """
        A signal ends the wait: with one line or none, no traceback, nothing left.
        """
        namespace = self.makeNamespace()
        before = namespace.dump()
        for number, status, line in (
            (signal.SIGTERM, -signal.SIGTERM, None),
            (signal.SIGHUP, -signal.SIGHUP, None),
            (signal.SIGINT, 1, "prefix64: Ctrl-C came while waiting for interface 'eth0'"),
        ):
            service = self.waiting(namespace, "60")
            service.process.send_signal(number)
            self.assertEqual(service.process.wait(10), status)
            self.assertEqual(service.log().splitlines()[1:], [] if line is None else [line])
            self.assertEqual(namespace.dump(), before)


class DaemonTests(WaitTestCase):
    """
    twistd without -n: its command waits, and there is a daemon when the interface is there.
    """

    def setUp(self) -> None:
        """
        Make a host.
        """
        super().setUp()
        self.host = self.makeNamespace()
        self.directory = self.makeDirectory()

    def daemon(self, seconds: str) -> subprocess.Popen[str]:
        """
        Start twistd, and wait until it waits.
        """
        program = "from twisted.scripts.twistd import run; run()"
        options = ["--pidfile=pid", "--logfile=log", "prefix64", "--state", "state"]
        with open(self.directory / "output", "wb") as output:
            parent = subprocess.Popen(
                self.host.command(
                    *(sys.executable, "-c", program, *options, *ETH0, "--wait", seconds)
                ),
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.addCleanup(self.end, parent)
        eventually(lambda: "waiting up to" in self.output(), 20)
        return parent

    def output(self) -> str:
        """
        What the command wrote.
        """
        return (self.directory / "output").read_text()

    def end(self, parent: subprocess.Popen[str]) -> None:
        """
        Have both end.
        """
        if parent.poll() is None:
            parent.kill()
            parent.wait()
        path: Path = self.directory / "pid"
        if path.exists():
            process = int(path.read_text())
            os.kill(process, signal.SIGTERM)
            eventually(lambda: not os.path.exists(f"/proc/{process}"), 15)

    def test_case65_appearsLater(self) -> None:
        """
        Then the command returns, with status 0, and the daemon serves.
        """
        peer = self.makeNamespace("peer")
        parent = self.daemon("60")
        self.assertFalse((self.directory / "pid").exists())
        makeLink(peer, self.host)
        self.assertEqual(parent.wait(20), 0)
        eventually(lambda: START in (self.directory / "log").read_text())
        peer.ip("address add 2001:db8:ffff::1/64 dev eth0 nodad")
        peer.ip(f"route add {PREFIX} dev eth0")
        self.host.ip("-6 route add 2001:db8:ffff::/64 dev eth0")
        self.assertAnsweredOnce(pingFrom(peer, ADDRESS))
        self.assertEqual(len(self.output().splitlines()), 1)

    def test_case65_neverAppears(self) -> None:
        """
        Exit status 1, one line more, no daemon.
        """
        parent = self.daemon("0.5")
        self.assertEqual(parent.wait(20), 1)
        self.assertEqual(len(self.output().splitlines()), 2)
        self.assertTrue(self.output().endswith("(waited 0.5 seconds)\n"))
        self.assertFalse((self.directory / "pid").exists())
        self.assertFalse((self.directory / "log").exists())

    def test_signal(self) -> None:
        """
        SIGTERM to the command that waits: there is no daemon.
        """
        parent = self.daemon("60")
        parent.terminate()
        self.assertEqual(parent.wait(10), -signal.SIGTERM)
        self.assertEqual(len(self.output().splitlines()), 1)
        self.assertFalse((self.directory / "pid").exists())

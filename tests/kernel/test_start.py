"""
Starts that fail, each in one line and without a trace; and the daemon.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from typing import Any

from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import PREFIX, eventually
from tests.kernel.twistd import START, Twistd, runToEnd

ETH0 = ("--iface", "eth0", "--prefix", PREFIX)

BAD_VALUES = {
    "iface": [("none0", "there is no such interface; there are: eth0, lo, peer0")],
    "prefix": [
        ("2001:db8::1/64", "host bits", "2001:db8::/64"),
        ("192.0.2.0/24", "IPv4"),
        ("fe80::/64", "link-local"),
        ("ff02::/64", "multicast"),
        ("::1/127", "host bits"),
        ("::/96", "loopback"),
        ("::ffff:192.0.2.0/120", "IPv4-mapped"),
        ("2001:d00::/24", "from 32 to 127"),
        ("2001:db8::/128", "from 32 to 127"),
        ("2001:db8::", "no prefix length", "2001:db8::/64"),
        ("2001:db8::/64x", "no IPv6 prefix"),
        ("fe80::%eth0/64", "scope"),
        ("\n", "no IPv6 prefix"),
    ],
    "exclude": [
        ("2001:db8:9::1", "in none of the prefixes"),
        ("2001:db8::/64", "leaves nothing"),
        ("2001:db8::/48", "leaves nothing"),
        ("192.0.2.1", "IPv4"),
        ("cafe", "no IPv6 address or prefix"),
    ],
    "http": [
        ("0", "from 1 to 65535"),
        ("65536", "from 1 to 65535"),
        ("eighty", "give a port"),
        ("tcp6:x", "give a port"),
    ],
    "wait": [
        ("nan", "seconds from 0 to 86400"),
        ("inf", "seconds from 0 to 86400"),
        ("86401", "seconds from 0 to 86400"),
        ("soon", "seconds from 0 to 86400"),
    ],
    "echo": [("loud", "choose one of protocol, kernel, none")],
    "dad": [("never", "choose one of auto, defend, ignore")],
    "na-source": [("eth0", "choose one of target, link-local")],
    "na-router": [("1", "choose one of 0, auto")],
    "sites": [("missing", "No such file")],
    "access-log": [("missing/log", "directory that exists"), (".", "name a file")],
}
"""For each option values that are refused, and words that must be in the line."""

BAD_NAMES = {
    "2001-db8--1-": "no address",
    "2001-db8-9--1": "in none of the served prefixes",
    "2001-db8--": "anycast",
    "2001-db8--e-1": "excluded",
    "index.html": "no address",
}


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class HostTestCase(KernelTestCase):
    """
    A host with eth0, on which nobody else is.

    @ivar before: what was in its kernel.
    """

    def setUp(self) -> None:
        """
        Make a host with eth0, and remember it.
        """
        super().setUp()
        self.host = self.makeNamespace()
        self.host.ip("link add eth0 type veth peer name peer0")
        for name in ("eth0", "peer0"):
            self.host.ip(f"link set {name} addrgenmode none up")
        self.directory = self.makeDirectory()
        self.before = self.host.dump()

    def listening(self, family: int, port: int) -> socket.socket:
        """
        A socket that listens in the host.
        """
        with self.host.entered():
            listener = socket.create_server(("", port), family=family)
        self.addCleanup(listener.close)
        return listener

    def start(self) -> Twistd:
        """
        Serve the prefix, and wait until it is served.
        """
        service = self.track(Twistd(self.host, *ETH0))
        service.waitForStart()
        return service


class RefusedTests(HostTestCase):
    """
    The start fails: exit status 1, one line on standard error, nothing left in the kernel.
    """

    def assertRefused(self, options: tuple[str, ...], *words: str) -> None:
        """
        The start fails as it should.

        @param options: of prefix64.
        @param words: what the line must have.
        """
        done = runToEnd(
            self.host,
            ["-n", "--pidfile=pid", "prefix64", "--state", "state", *options],
            self.directory,
        )
        self.assertOneLine(done, *words)
        self.assertFalse((self.directory / "pid").exists())
        self.assertEqual(self.host.dump(), self.before)

    def assertOneLine(self, done: subprocess.CompletedProcess[str], *words: str) -> None:
        """
        One line says why, and the exit status says so, too.
        """
        self.assertEqual(done.returncode, 1, done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("prefix64: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertNotIn("Traceback", done.stdout)
        self.assertNotIn(START, done.stdout)

    def test_badValues(self) -> None:
        """
        Every value that cannot be is named, with its option and what is wrong with it.
        """
        for option, cases in BAD_VALUES.items():
            for value, *words in cases:
                given = {"iface": "eth0", "prefix": PREFIX} | {option: value}
                options = [part for name, text in given.items() for part in (f"--{name}", text)]
                self.assertRefused(tuple(options), f"--{option} ", *words)

    def test_contradictions(self) -> None:
        """
        Options that contradict each other, or that are none.
        """
        many = tuple(part for n in range(65) for part in ("--prefix", f"2001:db8:0:{n:x}::/64"))
        for options, words in (
            (("--iface", "eth0"), ("needs --prefix",)),
            ((*ETH0, "-p", "2001:db8::/80"), ("overlap", "2001:db8::/80")),
            (("--iface", "eth0", *many), ("65 prefixes", "at most 64")),
            (("--echo", "protocol"), ("'lo'", "--echo kernel")),
            ((*ETH0, "--http", "none", "--http", "80"), ("--http none", "leave one out")),
            ((*ETH0, "extra"), ("'extra'",)),
            ((*ETH0, "--loud"), ("loud",)),
            (("--iface",), ("iface",)),
        ):
            self.assertRefused(options, *words)

    def test_twistdChangesUser(self) -> None:
        """
        twistd's own C{--uid} would take what the end needs.
        """
        done = runToEnd(
            self.host,
            ["-n", "--pidfile=", "--uid=65534", "prefix64", *ETH0, "--state", "state"],
            self.directory,
        )
        self.assertOneLine(done, "--uid")
        self.assertEqual(self.host.dump(), self.before)

    def test_sites(self) -> None:
        """
        A tree of sites with a name that cannot be served.
        """
        for name, word in BAD_NAMES.items():
            path = self.directory / "sites" / name
            path.mkdir(parents=True)
            self.assertRefused(
                (*ETH0, "--sites", "sites", "--exclude", "2001:db8::e:0/112"), repr(name), word
            )
            path.rmdir()
        for name in ("2001-db8--5", "2001:db8::5"):
            (self.directory / "sites" / name).mkdir()
        self.assertRefused((*ETH0, "--sites", "sites"), "are both 2001:db8::5")
        (self.directory / "sites" / "2001:db8::5").rmdir()
        (self.directory / "sites" / "default").write_text("a file")
        self.assertRefused((*ETH0, "--sites", "sites"), "'default' is no directory")

    def test_ipv6IsOff(self) -> None:
        """
        An interface on which IPv6 is switched off.
        """
        self.host.sysctl("conf/eth0/disable_ipv6", 1)
        self.before = self.host.dump()
        self.assertRefused(ETH0, "IPv6 is off", "disable_ipv6=0")

    def test_portOfABridge(self) -> None:
        """
        An interface whose packets a bridge takes.
        """
        self.host.ip("link add br0 type bridge")
        self.host.ip("link set eth0 master br0")
        self.before = self.host.dump()
        self.assertRefused(ETH0, "'eth0'", "port of a bridge", "serve the bridge itself")

    def test_accessLogIsAPipe(self) -> None:
        """
        A pipe that nobody reads as the access log.
        """
        os.mkfifo(self.directory / "pipe")
        self.assertRefused((*ETH0, "--access-log", "pipe"), "--access-log", "nobody reads")

    def test_stateDirectory(self) -> None:
        """
        A state directory that cannot be made.
        """
        (self.directory / "file").write_text("")
        self.assertRefused((*ETH0, "--state", "file"), "--state", "choose another directory")

    def test_portInUse(self) -> None:
        """
        A port on which another server listens: what was in the kernel by then is taken out again.
        """
        with self.listening(socket.AF_INET6, 80):
            self.assertRefused(ETH0, "port 80 is in use", "--http")

    def test_secondPortInUse(self) -> None:
        """
        The second of two ports, and one that is described as an endpoint.
        """
        with self.listening(socket.AF_INET6, 8080):
            self.assertRefused((*ETH0, "--http", "80", "--http", "8080"), "port 8080 is in use")
            endpoint = r"tcp6:8080:interface=\:\:"
            self.assertRefused((*ETH0, "--http", endpoint), "--http", "in use")

    def test_portInUseByIPv4IsNoConflict(self) -> None:
        """
        An IPv4 server on the same port is no conflict, and serves on.
        """
        with self.listening(socket.AF_INET, 80):
            service = self.start()
            self.assertIn("http://[2001:db8::cafe]/", service.log())

    def test_foreignRoute(self) -> None:
        """
        Somebody else's route where ours would go: the line names it and what removes it.
        """
        self.host.ip("-6 route add blackhole 2001:db8::/64 table 64 proto static")
        self.before = self.host.dump()
        self.assertRefused(ETH0, "2001:db8::/64", "ip -6 route del 2001:db8::/64 table 64")

    def test_foreignGuard(self) -> None:
        """
        Somebody else's nf_tables table where the guard would go: asked for, it is an error;
        unasked for, echo is left to the kernel.
        """
        self.host.run("nft", "add table ip6 prefix64-eth0")
        self.before = self.host.dump()
        self.assertRefused((*ETH0, "--echo", "protocol"), "nft delete table ip6 prefix64-eth0")
        service = self.start()
        self.assertIn("ping answered by the kernel", service.log())

    def test_missingPrivileges(self) -> None:
        """
        Without a capability the line names it. A port above 1023 needs none.
        """
        for taken, options, word in (
            ("-net_admin,-net_raw,-net_bind_service", ETH0, " and CAP_NET_BIND_SERVICE: "),
            ("-net_admin", ETH0, "needs CAP_NET_ADMIN: "),
            ("-net_raw", ETH0, "needs CAP_NET_RAW: "),
            ("-net_bind_service", ETH0, "needs CAP_NET_BIND_SERVICE: "),
            ("-net_admin,-net_raw,-net_bind_service", ("--http", "8080"), "needs CAP_NET_ADMIN: "),
        ):
            done = runToEnd(
                self.host,
                ["-n", "--pidfile=", "prefix64", "--state", "state", *options],
                self.directory,
                within=("setpriv", f"--bounding-set={taken}", "--inh-caps=-all"),
            )
            self.assertOneLine(done, word, "run it as root")
            self.assertEqual(self.host.dump(), self.before)


class DaemonTests(HostTestCase):
    """
    twistd without -n.
    """

    def daemon(self, *options: str) -> subprocess.CompletedProcess[str]:
        """
        Start the daemon, and wait for its parent.
        """
        self.addCleanup(self.end)
        arguments = ["--pidfile=pid", "--logfile=log", "prefix64", "--state", "state"]
        return runToEnd(self.host, [*arguments, *ETH0, *options], self.directory)

    def process(self) -> int | None:
        """
        The daemon's process, as its pid file says.
        """
        try:
            return int((self.directory / "pid").read_text())
        except FileNotFoundError:
            return None

    def end(self) -> None:
        """
        Have the daemon end, if it runs, and wait for that.
        """
        process = self.process()
        if process is not None:
            os.kill(process, signal.SIGTERM)
            eventually(lambda: not os.path.exists(f"/proc/{process}"), 15)

    def test_startAndEnd(self) -> None:
        """
        The parent's exit status is 0, without a word; the log has the start line, the pid file the
        process; after SIGTERM to that nothing is left.
        """
        done = self.daemon()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        log = self.directory / "log"
        eventually(lambda: START in log.read_text())
        self.assertNotEqual(self.host.dump(), self.before)
        self.end()
        self.assertIsNone(self.process())
        self.assertEqual(self.host.dump(), self.before)
        self.assertNotIn("Traceback", log.read_text())

    def test_portInUse(self) -> None:
        """
        A start that fails: exit status 1, a message that says why, no pid file, no process, nothing
        in the kernel.
        """
        self.listening(socket.AF_INET6, 80)
        done = self.daemon()
        self.assertEqual(done.returncode, 1)
        self.assertIn("port 80 is in use", done.stderr)
        self.assertNotIn("Traceback", done.stderr + done.stdout)
        self.assertIn("port 80 is in use", (self.directory / "log").read_text())
        eventually(lambda: self.process() is None, what="the daemon, too, has ended")
        self.assertEqual(self.host.dump(), self.before)

    def test_badValue(self) -> None:
        """
        A value that cannot be ends the parent, before there is a daemon.
        """
        done = self.daemon("--dad", "never")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertTrue(done.stderr.startswith("prefix64: --dad "), done.stderr)
        self.assertIsNone(self.process())

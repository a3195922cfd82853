"""
The endpoint in programs of others: C{twistd web}, and one that listens and stops as it is told.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from select import select
from typing import Any

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import (
    INSIDE,
    PREFIX,
    SECOND_PREFIX,
    SERVER_LINK_LOCAL,
    Namespace,
    eventually,
)
from tests.kernel.twistd import Twistd, environment, runToEnd
from tests.support import skipBecause

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "endpoint"
OWN, ELSEWHERE = "2001:db8::b:1", "2001:db8:5::2"
"""Addresses of the server itself, in the prefix and outside of it."""

_SECONDS = 20.0

PROGRAM = """
import sys
from twisted.internet import reactor, stdio
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineReceiver
from twisted.web.server import Site
from app import LocalAddress

ports = {}

class Commands(LineReceiver):
    delimiter = b"\\n"

    def lineReceived(self, line):
        verb, *rest = line.decode().split()
        getattr(self, verb)(*rest)

    def listen(self, name, description):
        def listening(port):
            ports[name] = port
            print(f"{name} listens", flush=True)
        def failed(failure):
            print(f"{name} failed: {failure.value}", flush=True)
        maybeDeferred(
            lambda: serverFromString(reactor, description).listen(Site(LocalAddress()))
        ).addCallbacks(listening, failed)

    def stop(self, name):
        ports.pop(name).stopListening().addCallback(lambda _: print(f"{name} stopped", flush=True))

    def end(self):
        reactor.stop()

globalLogBeginner.beginLoggingTo(
    [textFileLogObserver(sys.stderr)], redirectStandardIO=False
)
stdio.StandardIO(Commands())
reactor.run()
"""
"""Listens, stops and ends as it is told on its standard input."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def escaped(text: str) -> str:
    """
    A value in a description.
    """
    return text.replace(":", "\\:")


def endpoint(port: int = 80, prefix: str = PREFIX, more: str = "", iface: str = "eth0") -> str:
    """
    A description.
    """
    return f"prefix64:{port}:iface={iface}:prefix={escaped(prefix)}{more}"


def exampleEnvironment() -> dict[str, str]:
    """
    An environment in which the examples are found too.
    """
    path = os.pathsep.join([environment()["PYTHONPATH"], str(EXAMPLES)])
    return {**environment(), "PYTHONPATH": path}


class TwistdWeb(Twistd):
    """
    One process of C{twistd -n web} that serves the example.
    """

    resource = "app.LocalAddress"

    def _command(self, options: Sequence[str]) -> list[str]:
        listen = [f"--listen={one}" for one in options]
        return ["web", f"--class={self.resource}", *listen]

    def waitForPorts(self, count: int = 1) -> None:
        """
        Wait until so many ports are open.
        """
        eventually(
            lambda: self.log().count("starting on") >= count or self.process.poll() is not None,
            _SECONDS,
        )
        if self.process.poll() is not None:
            raise AssertionError(f"it ended:\n{self.log()}")


class Program:
    """
    A process that listens and stops as it is told.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            namespace.command(sys.executable, "-c", PROGRAM),
            env=exampleEnvironment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )

    def tell(self, command: str) -> str:
        """
        Have it do something.

        @return: what it says of that.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        if not select([self.process.stdout], [], [], _SECONDS)[0]:
            raise AssertionError(f"it says nothing to {command!r}:\n{self.log()}")
        return self.process.stdout.readline().rstrip()

    def log(self) -> str:
        """
        What it logged.
        """
        self._errors.seek(0)
        return self._errors.read().decode()

    def close(self) -> None:
        """
        Have it end, and wait.
        """
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=_SECONDS)
        self._errors.close()


class EndpointTestCase(KernelTestCase):
    """
    A router, and a server on which other programs run.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(os, "environ", exampleEnvironment())

    def lab(self, *own: str) -> Lab:
        """
        Make it, and remember what is in the server's kernel.
        """
        lab = self.makeLab(*own)
        self.before = lab.server.dump()
        return lab

    def web(self, lab: Lab, *listen: str, twistd: tuple[str, ...] = ()) -> TwistdWeb:
        """
        Start C{twistd web}, and wait until it serves.
        """
        service = TwistdWeb(lab.server, *listen, twistd=twistd)
        lab.services.append(service)
        service.waitForPorts(len(listen))
        return service

    def program(self, lab: Lab) -> Program:
        """
        Start the program that does as it is told.
        """
        program = Program(lab.server)
        self.addCleanup(program.close)
        return program

    def assertServes(self, lab: Lab, address: str, port: int = 80) -> None:
        """
        An address has its page.
        """
        page = lab.fetch(f"http://[{address}]:{port}/")
        self.assertEqual(page, f"This is {address}\n")

    def visit(self, lab: Lab, address: str, port: int = 80) -> int:
        """
        Connect from the router, ask, and read.

        @return: the number of the error; 0 if there is an answer.
        """
        with lab.router.entered():
            scope = socket.if_nametoindex("eth0")
            visitor = socket.socket(socket.AF_INET6)
        self.addCleanup(visitor.close)
        visitor.settimeout(5)
        try:
            visitor.connect((address, port, 0, scope if address.startswith("fe80") else 0))
            visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"200 OK", visitor.recv(4096))
        except OSError as error:
            return error.errno or -1
        return 0

    def assertUndone(self, lab: Lab) -> None:
        """
        The server's kernel is as it was.
        """
        self.assertEqual(lab.server.dump(), self.before)


class TwistdWebTests(EndpointTestCase):
    """
    C{twistd web --listen prefix64:...}.
    """

    def test_everyAddress(self) -> None:
        """
        Ten random addresses each answer ping and have their own page; after SIGTERM nothing is
        left.
        """
        lab = self.lab()
        service = self.web(lab, endpoint())
        for _ in range(10):
            host = random.getrandbits(63) | 1 << 62
            address = str(socket.inet_ntop(socket.AF_INET6, (0x20010DB8 << 96 | host).to_bytes(16)))
            self.assertAnsweredOnce(lab.ping(address))
            self.assertServes(lab, address)
        self.assertEqual(service.stop(), -signal.SIGTERM)
        self.assertUndone(lab)
        self.assertNotIn("Traceback", service.log())

    def test_otherAddressesAreRefused(self) -> None:
        """
        The host's own address outside the prefix and its link-local one get a reset, its own one
        inside has the page; the program never hears of the others.
        """
        lab = self.lab(OWN, ELSEWHERE)
        lab.router.ip(f"route add {ELSEWHERE} via {SERVER_LINK_LOCAL} dev eth0")
        service = self.web(lab, endpoint())
        for address in (ELSEWHERE, SERVER_LINK_LOCAL):
            self.assertEqual(self.visit(lab, address), errno.ECONNRESET, address)
        for address in (OWN, "2001:db8::cafe"):
            self.assertEqual(self.visit(lab, address), 0, address)
        service.stop()
        log = service.log()
        self.assertEqual(log.count('"GET / HTTP/1.0"'), 2)
        self.assertIn("refused 2 connections to other addresses", log)

    def test_portInUse(self) -> None:
        """
        One line, and nothing is left.
        """
        lab = self.lab()
        with lab.server.entered():
            taken = socket.socket(socket.AF_INET6)
        self.addCleanup(taken.close)
        taken.bind(("::", 80))
        taken.listen()
        lines = self.failing(lab, endpoint())
        self.assertIn("prefix64: port 80 is in use (ss -6ltnp 'sport = :80' shows by whom)", lines)
        self.assertUndone(lab)

    def failing(self, lab: Lab, *listen: str, within: Sequence[str] = ()) -> str:
        """
        Start C{twistd web} in vain.

        @return: what it said, without a traceback.
        """
        options = [f"--listen={one}" for one in listen]
        arguments = ["-n", "--pidfile=", "web", *options]
        done = runToEnd(lab.server, arguments, lab.directory, within)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, said)
        self.assertNotIn("Traceback", said)
        self.assertEqual(said.count("prefix64: "), 1, said)
        return said

    def test_theSecondOfTwoFails(self) -> None:
        """
        Before the reactor runs: the first is given up with the process.
        """
        lab = self.lab()
        said = self.failing(lab, endpoint(), endpoint(81, "2001:db8::/80"))
        self.assertIn("overlaps 2001:db8::/64", said)
        self.assertUndone(lab)

    def test_aWrongDescription(self) -> None:
        """
        One line before anything else.
        """
        lab = self.lab()
        said = self.failing(lab, "prefix64:80:iface=eth0:prefix=2001:db8::/64")
        self.assertTrue(said.startswith("prefix64: 'db8' has no name: colons of addresses"), said)

    def test_withoutPrivileges(self) -> None:
        """
        One line names what is missing, before anything is changed.
        """
        lab = self.lab()
        within = ("setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-all")
        said = self.failing(lab, endpoint(8080), within=within)
        self.assertIn("this needs CAP_NET_ADMIN and CAP_NET_RAW: run it as root (sudo)", said)
        self.assertUndone(lab)

    def test_oneInstanceForEachInterface(self) -> None:
        """
        Where twistd prefix64 serves the interface an endpoint fails, and the other way round; both
        say who has it.
        """
        lab = self.lab()
        service = lab.start("--http", "8080")
        said = self.failing(lab, endpoint())
        self.assertIn("prefix64: interface 'eth0' is served already by process ", said)
        service.stop()
        self.assertUndone(lab)
        web = self.web(lab, endpoint())
        arguments = ["-n", "--pidfile=", "prefix64", "-i", "eth0", "-p", PREFIX, "--http", "8080"]
        done = runToEnd(lab.server, arguments, lab.directory)
        self.assertEqual(done.returncode, 1)
        self.assertIn("prefix64: interface 'eth0' is served already by process ", done.stderr)
        self.assertServes(lab, "2001:db8::cafe")
        web.stop()
        self.assertUndone(lab)

    def test_afterAKill(self) -> None:
        """
        The next start takes over what was left, and undoes it at its end.
        """
        lab = self.lab()
        self.web(lab, endpoint()).kill()
        self.assertNotEqual(lab.server.dump(), self.before)
        service = self.web(lab, endpoint())
        self.assertServes(lab, "2001:db8::cafe")
        service.stop()
        self.assertIn("taking over 4 rules and routes of an earlier run", service.log())
        self.assertUndone(lab)

    def test_reactors(self) -> None:
        """
        So it is in every reactor.
        """
        lab = self.lab()
        for reactor in ("poll", "select", "asyncio"):
            service = self.web(lab, endpoint(), twistd=(f"--reactor={reactor}",))
            self.assertIn(f"{reactor}reactor", service.log().lower())
            self.assertAnsweredOnce(lab.ping("2001:db8::cafe"))
            self.assertServes(lab, "2001:db8::cafe")
            self.assertEqual(self.visit(lab, SERVER_LINK_LOCAL), errno.ECONNRESET)
            service.stop()
            self.assertNotIn("Traceback", service.log())
            self.assertUndone(lab)


class SharedTests(EndpointTestCase):
    """
    Several endpoints in one process.
    """

    def test_twoPorts(self) -> None:
        """
        One of them stops, and the other serves on; with the last everything is undone, while the
        process goes on.
        """
        lab = self.lab()
        program = self.program(lab)
        for port in (80, 81):
            self.assertEqual(program.tell(f"listen p{port} {endpoint(port)}"), f"p{port} listens")
        for port in (80, 81):
            self.assertServes(lab, "2001:db8::cafe", port)
        self.assertEqual(program.tell("stop p80"), "p80 stopped")
        self.assertServes(lab, "2001:db8::cafe", 81)
        self.assertServes(lab, "2001:db8::d00d", 81)
        self.assertEqual(self.visit(lab, "2001:db8::cafe", 80), errno.ECONNREFUSED)
        self.assertEqual(program.tell("stop p81"), "p81 stopped")
        self.assertUndone(lab)
        self.assertEqual(program.tell(f"listen again {endpoint()}"), "again listens")
        self.assertServes(lab, "2001:db8::cafe")
        program.close()
        self.assertUndone(lab)

    def test_twoPrefixes(self) -> None:
        """
        The second comes while the first serves: both answer ping once, and each port has its own
        prefix only. The first goes, and the second serves on.
        """
        lab = self.lab()
        program = self.program(lab)
        first, second = "2001:db8::cafe", "2001:db8:1::cafe"
        self.assertEqual(program.tell(f"listen a {endpoint(80)}"), "a listens")
        self.assertEqual(lab.ping(second, wait=0.5).received, 0)
        self.assertEqual(program.tell(f"listen b {endpoint(81, SECOND_PREFIX)}"), "b listens")
        for address, mine, others in ((first, 80, 81), (second, 81, 80)):
            self.assertAnsweredOnce(lab.ping(address, count=3), 3)
            self.assertServes(lab, address, mine)
            self.assertEqual(self.visit(lab, address, others), errno.ECONNRESET)
        self.assertEqual(lab.server.allmulti(), 1)
        self.assertEqual(program.tell("stop a"), "a stopped")
        self.assertServes(lab, "2001:db8:1::d00d", 81)
        self.assertAnsweredOnce(lab.ping("2001:db8:1::d00d"))
        self.assertEqual(lab.ping("2001:db8::d00d", wait=0.5).received, 0)
        self.assertNotIn(PREFIX, lab.server.dump().replace("2001:db8:1::/64", ""))
        self.assertEqual(program.tell("stop b"), "b stopped")
        self.assertUndone(lab)
        self.assertNotIn("Traceback", program.log())

    def test_nothingIsLostWhileAPrefixComes(self) -> None:
        """
        Pings of the first prefix are each answered once, also while the second comes and goes.
        """
        lab = self.lab()
        program = self.program(lab)
        program.tell(f"listen a {endpoint(80)}")
        self.assertAnsweredOnce(lab.ping("2001:db8::cafe"))
        pinging = subprocess.Popen(
            lab.router.command(
                "ping", "-6", "-n", "-q", "-c", "400", "-i", "0.005", "2001:db8::cafe"
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        changes = 0
        while pinging.poll() is None:
            program.tell(f"listen b {endpoint(81, SECOND_PREFIX)}")
            program.tell("stop b")
            changes += 1
        said = pinging.communicate()[0]
        self.assertIn("400 received", said)
        self.assertNotIn("duplicates", said)
        self.assertGreater(changes, 1)

    def test_contradictions(self) -> None:
        """
        Each fails with one line, and what is served goes on; so it is with a port in use.
        """
        lab = self.lab()
        program = self.program(lab)
        program.tell(f"listen a {endpoint(80, more=':rate=10')}")
        for description, words in (
            (endpoint(81, more=":rate=20"), "rate=20 contradicts rate=10 of another endpoint"),
            (endpoint(81, "2001:db8::/80", ":rate=10"), "overlaps 2001:db8::/64, which another"),
            (endpoint(80, more=":rate=10"), "port 80 is in use"),
            (endpoint(80, SECOND_PREFIX, ":rate=10"), "port 80 is in use"),
        ):
            served = lab.server.dump()
            self.assertIn(words, program.tell(f"listen b {description}"))
            self.assertEqual(lab.server.dump(), served)
            self.assertServes(lab, "2001:db8::cafe")
        self.assertEqual(program.tell("stop a"), "a stopped")
        self.assertUndone(lab)

    def test_theReactorStopsAlone(self) -> None:
        """
        A program that does not stop its ports leaves nothing either.
        """
        lab = self.lab()
        program = self.program(lab)
        program.tell(f"listen a {endpoint()}")
        program.tell(f"listen b {endpoint(81, SECOND_PREFIX)}")
        self.assertServes(lab, "2001:db8::cafe")
        program.tell("end")
        self.assertEqual(program.process.wait(_SECONDS), 0)
        self.assertUndone(lab)

    def test_aRouterInsideThePrefix(self) -> None:
        """
        Its address is excluded in the description, and is its own.
        """
        lab = self.makeLab(inside=True)
        program = self.program(lab)
        more = f":exclude={escaped(INSIDE)}:na_source=link-local:hosts={escaped('2001:db8::7')}"
        self.assertEqual(program.tell(f"listen a {endpoint(more=more)}"), "a listens")
        self.assertIn(INSIDE, lab.server.ip("-6 route show table 64"))
        self.assertServes(lab, "2001:db8::7")
        group = "ff02::1:ff00:7"
        self.assertIn(group, lab.server.ip("-6 maddress show dev eth0"))
        self.assertEqual(program.tell("stop a"), "a stopped")
        self.assertNotIn(group, lab.server.ip("-6 maddress show dev eth0"))


class OthersDoItTests(EndpointTestCase):
    """
    Routing and solicitations of somebody else: the endpoint only chooses connections.
    """

    def test_withoutAnyPrivilege(self) -> None:
        """
        Nothing is changed, and none is needed.
        """
        lab = self.lab(OWN, ELSEWHERE)
        lab.router.ip(f"route add {ELSEWHERE} via {SERVER_LINK_LOCAL} dev eth0")
        description = endpoint(8080, more=":routing=none:ndp=none")
        process = subprocess.Popen(
            lab.server.command(
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "--bounding-set=-all", "--inh-caps=-all",
                sys.executable, str(EXAMPLES / "app.py"), description,
            ),
            env=exampleEnvironment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "listening on port 8080\n")
        self.assertEqual(lab.server.dump(), self.before)
        self.assertEqual(self.visit(lab, OWN, 8080), 0)
        self.assertEqual(self.visit(lab, ELSEWHERE, 8080), errno.ECONNRESET)


class ExampleTests(EndpointTestCase):
    """
    The programs in C{examples/endpoint}.
    """

    def test_app(self) -> None:
        """
        With nothing else to say it serves on the loopback interface; Ctrl-C ends it, and nothing is
        left. A mistake is one line.
        """
        host = self.makeNamespace()
        before = host.dump()
        command = host.command(sys.executable, str(EXAMPLES / "app.py"))
        with subprocess.Popen(
            command,
            env=exampleEnvironment(),
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            self.addCleanup(process.kill)
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "listening on port 8080\n")
            url = "http://[2001:db8::cafe]:8080/"
            page = host.run("curl", "-gsS", "--noproxy", "*", url).stdout
            self.assertEqual(page, "This is 2001:db8::cafe\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(_SECONDS), 0)
        self.assertEqual(host.dump(), before)
        done = subprocess.run(
            [*command, "prefix64:80:iface=eth7:prefix=2001\\:db8\\:\\:/64"],
            env=exampleEnvironment(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("iface='eth7': there is no such interface; there are: lo", done.stderr)

    def test_klein(self) -> None:
        """
        A Klein application does not notice.
        """
        if find_spec("klein") is None:
            skipBecause("missing: klein: pip install klein")
        lab = self.lab()
        self.patch(TwistdWeb, "resource", "klein_app.resource")
        service = self.web(lab, endpoint())
        self.assertServes(lab, "2001:db8::cafe")
        page = lab.fetch("http://[2001:db8::d00d]/name/Ann")
        self.assertEqual(page, "Ann at 2001:db8::d00d\n")
        service.stop()
        self.assertUndone(lab)

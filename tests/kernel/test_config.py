"""
One process on two interfaces, as a file says.
"""

from __future__ import annotations

import signal
import socket
from typing import Any

from scapy.layers.inet6 import ICMPv6ND_NA

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import (
    PREFIX,
    ROUTER_LINK_LOCAL,
    SECOND_PREFIX,
    SERVER_LINK_LOCAL,
    eventually,
    makeLink,
)
from tests.kernel.twistd import Twistd, runToEnd
from tests.kernel.wire import Wire, solicitation

FIRST, SECOND = "2001:db8::cafe", "2001:db8:1::cafe"
"""An address of each prefix."""

BEYOND = "2001:db8:fffe::1"
"""The router's address on the second link."""

TWO = f"""
sites = "sites"

[[interface]]
iface = "eth0"
prefix = "{PREFIX}"

[[interface]]
iface = "eth1"
prefix = "{SECOND_PREFIX}"
"""

ROUTINGS = {
    "the same numbers, and this host too": ("local = true", "local = true"),
    "another table": ("", "table = 65"),
    "another priority": ("table = 65\npriority = 66", 'routing = "ports"\nports = "tcp:80"'),
    "marks beside the usual way": ('routing = "fwmark"', ""),
    "the usual way beside marks": ("", 'routing = "fwmark"'),
    "marks, each to its table": (
        'routing = "fwmark"\nfwmark = 7',
        'routing = "fwmark"\nfwmark = 8\ntable = 65',
    ),
    "the kernel as the proxy": ('ndp = "kernel"', 'ndp = "kernel"'),
}
"""What the two interfaces may have besides."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class TwoLinksTestCase(KernelTestCase):
    """
    A router and a server with two links between them; a prefix is on each.

    @ivar lab: the two, without a service.
    @ivar before: what was in the server's kernel.
    """

    def setUp(self) -> None:
        super().setUp()
        self.lab = self.makeLab()
        makeLink(self.lab.router, self.lab.server, "eth1")
        self.lab.router.ip(f"address add {ROUTER_LINK_LOCAL}/64 dev eth1 nodad")
        self.lab.router.ip(f"address add {BEYOND}/64 dev eth1 nodad")
        self.lab.router.ip(f"route replace {SECOND_PREFIX} dev eth1 src {BEYOND}")
        self.configureSecond()
        sites = self.lab.directory / "sites"
        for name in ("2001-db8--5", "2001-db8-1--5"):
            (sites / name).mkdir(parents=True)
            (sites / name / "index.html").write_text(f"the site {name}")
        self.before = self.lab.server.dump()

    def configureSecond(self) -> None:
        """
        Give the server's end of the second link its address and route.
        """
        self.lab.server.ip(f"address add {SERVER_LINK_LOCAL}/64 dev eth1 nodad")
        self.lab.server.ip(f"route add {BEYOND}/128 via {ROUTER_LINK_LOCAL} dev eth1")

    def file(self, text: str = TWO) -> str:
        """
        A file with a text.
        """
        path = self.lab.directory / "prefix64.toml"
        path.write_text(text)
        return str(path)

    def start(self, text: str = TWO, *options: str) -> Twistd:
        """
        Serve as the file says.
        """
        state = ("--state", str(self.lab.directory / "state"))
        service = self.lab.launch("--config", self.file(text), *state, *options)
        service.waitForStart()
        return service

    def refused(self, text: str = TWO, *options: str) -> str:
        """
        Start, and fail.

        @return: the one line that says why.
        """
        arguments = ["-n", "--pidfile=", "prefix64", "-c", self.file(text), *options]
        done = runToEnd(self.lab.server, [*arguments, "--state", "state"], self.lab.directory)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        return done.stderr

    def assertServes(self, *addresses: str) -> None:
        """
        Each address answers ping once, and HTTP.
        """
        for address in addresses or (FIRST, SECOND):
            self.assertAnsweredOnce(self.lab.ping(address))
            self.assertIn(address, self.lab.fetch(f"http://[{address}]/"))

    def assertNothingLeft(self, service: Twistd) -> None:
        """
        The service ended in order, and the kernel is as it was.
        """
        self.assertEqual(service.stop(), -signal.SIGTERM)
        self.assertNotIn("Traceback", service.log())
        self.assertNotIn("not undone", service.log())
        self.assertEqual(self.lab.server.dump(), self.before)


class TwoLinksTests(TwoLinksTestCase):
    """
    Both are served.
    """

    def test_bothPrefixesAreServedUntilTheEnd(self) -> None:
        """
        Each on its interface, with one line that says so; the site is chosen by the address on
        both; nothing is left.
        """
        service = self.start()
        self.assertServes()
        for name, address in (("2001-db8--5", "2001:db8::5"), ("2001-db8-1--5", "2001:db8:1::5")):
            self.assertEqual(self.lab.fetch(f"http://[{address}]/"), f"the site {name}")
        self.assertIn(
            f"serving every address of {PREFIX} on eth0 and {SECOND_PREFIX} on eth1; 2 host rules "
            "from the tree of sites; ping answered by the protocol (eth0, eth1). "
            f"Try http://[{FIRST}]/",
            service.log(),
        )
        self.assertEqual([self.lab.server.allmulti(name) for name in ("eth0", "eth1")], [1, 1])
        rules = self.lab.server.ip("-6 rule show priority 64")
        for prefix, interface in ((PREFIX, "eth0"), (SECOND_PREFIX, "eth1")):
            self.assertIn(f"to {prefix} iif {interface} lookup 64", rules)
        self.assertNothingLeft(service)
        for name in ("eth0", "eth1"):
            self.assertRegex(service.log(), rf"{name} frames: advertised [1-9]")

    def test_aPrefixIsAnsweredForOnItsOwnInterfaceOnly(self) -> None:
        """
        A solicitation for an address of the one on the link of the other gets no answer.
        """
        self.start()
        for interface, mine, other in (("eth0", FIRST, SECOND), ("eth1", SECOND, FIRST)):
            wire = Wire(self.lab.router, interface)
            self.addCleanup(wire.close)
            wire.send(solicitation(other))
            wire.send(solicitation(mine))
            wire.wait(lambda p, mine=mine: ICMPv6ND_NA in p and p.tgt == mine, "the answer")
            self.assertEqual(wire.advertisements(other), [])

    def test_addressesOfTheHostOnTheOtherInterface(self) -> None:
        """
        They are answered for on the link of their prefix, where routers look for them, and the
        kernel answers ping; on the other link by the kernel alone. Each time once.
        """
        self.lab.server.ip("address add 2001:db8::b:1/128 dev eth1 nodad")
        self.start()
        self.lab.server.ip("address add 2001:db8::b:2/128 dev eth1 nodad")
        self.lab.server.ip("address add 2001:db8:1::b:3/128 dev eth1 nodad")
        for interface, fence in (("eth0", FIRST), ("eth1", SECOND)):
            wire = Wire(self.lab.router, interface)
            self.addCleanup(wire.close)
            for address in ("2001:db8::b:1", "2001:db8::b:2", fence):
                wire.send(solicitation(address))
            wire.wait(lambda p, fence=fence: ICMPv6ND_NA in p and p.tgt == fence, "the answer")
            for address in ("2001:db8::b:1", "2001:db8::b:2"):
                self.assertEqual(len(wire.advertisements(address)), 1)
        for address in ("2001:db8::b:1", "2001:db8::b:2", "2001:db8:1::b:3"):
            self.assertServes(address)

    def test_oneGoesDownAndComesBackWhileTheOtherGoesOn(self) -> None:
        """
        Down and up; then deleted and made again.
        """
        service = self.start()
        self.assertServes()
        self.lab.server.ip("link set eth1 down")
        self.assertServes(FIRST)
        self.lab.server.ip("link set eth1 up")
        self.configureSecond()
        eventually(lambda: self.lab.ping(SECOND, wait=0.5).received)
        self.assertServes()
        self.lab.server.ip("link del eth1")
        eventually(lambda: "eth1 is gone" in service.log(), what=service.log())
        self.assertServes(FIRST)
        makeLink(self.lab.router, self.lab.server, "eth1")
        self.lab.router.ip(f"address add {ROUTER_LINK_LOCAL}/64 dev eth1 nodad")
        self.lab.router.ip(f"address add {BEYOND}/64 dev eth1 nodad")
        self.lab.router.ip(f"route add {SECOND_PREFIX} dev eth1 src {BEYOND}")
        self.configureSecond()
        eventually(lambda: self.lab.ping(SECOND, wait=0.5).received)
        self.assertServes()
        self.assertEqual(service.stop(), -signal.SIGTERM)
        self.assertNotIn("Traceback", service.log())
        self.assertEqual(self.lab.server.ip("-6 rule show priority 64"), "")
        self.assertEqual(self.lab.server.ip("-6 route show table 64", check=False), "")

    def test_theCommandLineWins(self) -> None:
        """
        An option of interfaces, on both.
        """
        service = self.start(f'echo = "none"\n{TWO}', "--echo", "kernel", "--http", "8080")
        self.assertAnsweredOnce(self.lab.ping(FIRST))
        self.assertAnsweredOnce(self.lab.ping(SECOND))
        self.assertIn(SECOND, self.lab.fetch(f"http://[{SECOND}]:8080/"))
        self.assertIn("ping answered by the kernel (eth0, eth1)", service.log())
        self.assertNothingLeft(service)

    def test_eachHasOptionsOfItsOwn(self) -> None:
        """
        Here nobody answers ping, there the kernel does.
        """
        service = self.start(TWO.replace('"eth0"', '"eth0"\necho = "none"') + 'echo = "kernel"\n')
        self.assertEqual(self.lab.ping(FIRST, wait=0.3).received, 0)
        self.assertAnsweredOnce(self.lab.ping(SECOND))
        self.assertIn("ping answered by no one (eth0); ", service.log())
        self.assertIn("ping answered by the kernel (eth1)", service.log())
        self.assertNothingLeft(service)


class CrashTests(TwoLinksTestCase):
    """
    SIGKILL, and the next start.
    """

    def test_whatWasLeftIsTakenOverAndGoesAtTheEnd(self) -> None:
        """
        With every way of routing.
        """
        for name, (first, second) in ROUTINGS.items():
            with self.subTest(routing=name):
                text = TWO.replace('"eth0"', f'"eth0"\n{first}') + second
                text = text.replace('sites = "sites"', "") if "proxy" not in name else text
                self.start(text).kill()
                service = self.start(text)
                self.assertIn("rules and routes of an earlier run", service.log())
                self.assertNotIn("somebody", service.log())
                self.assertNothingLeft(service)

    def test_theInterfacesChangedPlaces(self) -> None:
        """
        What was left for the prefix of the one is on the interface of the other.
        """
        self.start().kill()
        swapped = TWO.replace("eth0", "ethX").replace("eth1", "eth0").replace("ethX", "eth1")
        service = self.start(swapped)
        rules = self.lab.server.ip("-6 rule show priority 64")
        self.assertEqual(len(rules.splitlines()), 2, rules)
        self.assertIn(f"to {SECOND_PREFIX} iif eth0 lookup 64", rules)
        self.assertIn(f"to {PREFIX} iif eth1 lookup 64", rules)
        self.assertNothingLeft(service)


class RefusedTests(TwoLinksTestCase):
    """
    A start that fails, for one of the two, leaves nothing of the other.
    """

    def test_anInterfaceThatIsServedAlready(self) -> None:
        """
        Either of them; the line names the process that has it, which is not disturbed.
        """
        for name, prefix, address in (("eth0", PREFIX, FIRST), ("eth1", SECOND_PREFIX, SECOND)):
            other = self.lab.launch("--iface", name, "--prefix", prefix)
            other.waitForStart()
            alone = self.lab.server.dump()
            self.assertEqual(
                self.refused(TWO, "--http", "8080"),
                f"prefix64: interface '{name}' is served already by process {other.process.pid} "
                "(user 0): stop that first\n",
            )
            self.assertEqual(self.lab.server.dump(), alone)
            self.assertServes(address)
            self.assertNothingLeft(other)

    def test_aSecondInstanceOnEitherInterface(self) -> None:
        """
        It is refused, and the line names the one process that serves both.
        """
        first = self.start()
        both = self.lab.server.dump()
        for name in ("eth0", "eth1"):
            done = runToEnd(
                self.lab.server,
                ["-n", "--pidfile=", "prefix64", "-i", name, "-p", "2001:db8:2::/64"],
                self.lab.directory,
            )
            self.assertEqual(
                done.stderr,
                f"prefix64: interface '{name}' is served already by process {first.process.pid} "
                "(user 0): stop that first\n",
            )
            self.assertEqual(self.lab.server.dump(), both)
        self.assertServes()

    def test_aPrefixThatAnotherInstanceServes(self) -> None:
        """
        That of the second interface, on a third one.
        """
        other = self.lab.launch("--iface", "lo", "--prefix", SECOND_PREFIX)
        other.waitForStart()
        alone = self.lab.server.dump()
        line = self.refused(TWO, "--http", "8080")
        self.assertIn(f"{SECOND_PREFIX} is served on lo already by process", line)
        self.assertEqual(self.lab.server.dump(), alone)
        self.assertNothingLeft(other)

    def test_theSecondInterfaceIsMissing(self) -> None:
        """
        The line has the place in the file.
        """
        line = self.refused(TWO.replace("eth1", "eth9"))
        self.assertIn("prefix64.toml: [[interface]] 2: iface = 'eth9': there is no such", line)
        self.assertEqual(self.lab.server.dump(), self.before)

    def test_theSecondInterfaceByAnotherNameIsTheFirst(self) -> None:
        """
        An interface may have several names.
        """
        self.lab.server.ip("link property add dev eth0 altname lan0")
        self.before = self.lab.server.dump()
        line = self.refused(TWO.replace("eth1", "lan0"))
        self.assertIn("[[interface]] 2: iface = 'eth0' is there already", line)
        self.assertEqual(self.lab.server.dump(), self.before)

    def test_theTableOfTheSecondIsInUse(self) -> None:
        """
        By somebody else; the line has the place in the file where a table is named, or would be.
        """
        self.lab.server.ip("-6 route add blackhole 2001:db8:77::/64 table 65 proto static")
        self.before = self.lab.server.dump()
        line = self.refused(TWO + "table = 65\n")
        self.assertIn("prefix64.toml: [[interface]] 2: table 65 is in use by somebody else", line)
        self.assertIn("choose another table with table, or", line)
        self.assertEqual(self.lab.server.dump(), self.before)
        line = self.refused("table = 66\n" + TWO.replace('"eth1"', '"eth1"\ntable = 65'))
        self.assertIn("prefix64.toml: [[interface]] 2: table 65 is in use", line)
        self.lab.server.ip("-6 route add blackhole 2001:db8:77::/64 table 64 proto static")
        self.before = self.lab.server.dump()
        line = self.refused(TWO.replace('"eth0"', '"eth0"\ntable = 66'))
        self.assertIn("prefix64.toml: [[interface]] 2: table 64 is in use", line)
        self.assertEqual(self.lab.server.dump(), self.before)

    def test_theGuardOfTheSecondCannotBeHad(self) -> None:
        """
        Somebody else's table has its name.
        """
        self.lab.server.run("nft", "add table ip6 prefix64-eth1")
        self.before = self.lab.server.dump()
        line = self.refused(TWO + 'echo = "protocol"\n')
        self.assertIn('prefix64.toml: [[interface]] 2: echo = "protocol": ', line)
        self.assertIn("nft delete table ip6 prefix64-eth1", line)
        self.assertEqual(self.lab.server.dump(), self.before)

    def test_thePortIsInUse(self) -> None:
        """
        When both interfaces have begun.
        """
        with self.lab.server.entered():
            listener = socket.create_server(("", 80), family=socket.AF_INET6)
        with listener:
            self.assertIn("port 80 is in use", self.refused())
            self.assertIn("choose another port with http = ", self.refused("http = 80\n" + TWO))
        self.assertEqual(self.lab.server.dump(), self.before)


class WaitTests(KernelTestCase):
    """
    Waiting for both.
    """

    def test_bothAppearLater(self) -> None:
        """
        One after the other; the line of each is said once.
        """
        lab = Lab()
        self.addCleanup(lab.close)
        for namespace in (lab.router, lab.server):
            namespace.make()
        path = lab.directory / "prefix64.toml"
        path.write_text("wait = 60\n" + TWO.replace('sites = "sites"', ""))
        service = lab.launch("--config", str(path))
        eventually(lambda: service.log().count("waiting") == 1, 20)
        self.assertIn("waiting up to 60 seconds for interface 'eth0'\n", service.log())
        lab.join()
        eventually(lambda: service.log().count("waiting") == 2)
        self.assertRegex(service.log(), r"waiting up to [0-9.]+ seconds for interface 'eth1'\n")
        makeLink(lab.router, lab.server, "eth1")
        service.waitForStart()
        self.assertAnsweredOnce(lab.ping(FIRST))

    def test_oneNeverAppears(self) -> None:
        """
        The time is that of both together.
        """
        namespace, directory = self.makeNamespace(), self.makeDirectory()
        namespace.ip("link add eth0 type veth peer name peer0")
        (directory / "prefix64.toml").write_text(TWO.replace('sites = "sites"', "wait = 0.5"))
        arguments = ["-n", "--pidfile=", "prefix64", "-c", "prefix64.toml", "--state", "state"]
        done = runToEnd(namespace, arguments, directory)
        self.assertEqual(done.returncode, 1)
        waiting, error = done.stderr.splitlines()
        self.assertEqual(waiting, "prefix64: waiting up to 0.5 seconds for interface 'eth1'")
        self.assertIn("prefix64.toml: [[interface]] 2: iface = 'eth1': there is no such", error)
        self.assertTrue(error.endswith("(waited 0.5 seconds)"), error)

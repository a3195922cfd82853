"""
C{prefix64 plan}: its commands do what the server does, and it does nothing itself.
"""

from __future__ import annotations

import json
from typing import Any

from tests.kernel.hosts import (
    UNPRIVILEGED,
    makeHost,
    makeSite,
    prefix64,
    switchesOf,
    tablesOf,
)
from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import Namespace
from tests.kernel.twistd import Twistd
from tests.support import requirePrograms

SERVED = ("--iface", "eth0", "--prefix", "2001:db8::/64")
SECOND = ("--prefix", "2001:db8:1::/64")


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class PlanTestCase(KernelTestCase):
    """
    What the tests here have in common.
    """

    def setUp(self) -> None:
        """
        See that they can run.
        """
        super().setUp()
        requirePrograms("sysctl")

    def makeHost(self, role: str = "host") -> Namespace:
        """
        A host with two interfaces, which takes router advertisements in on both.
        """
        host = self.makeNamespace(role)
        makeHost(host, "eth0", "eth1.5")
        host.ip("route add 2001:db8::aa00:0/120 dev eth1.5")
        for name in ("eth0", "eth1.5"):
            host.sysctl(f"conf/{name}/accept_ra", 1)
        return host

    def planned(self, host: Namespace, *options: str, status: int = 0) -> str:
        """
        The plan as a script.
        """
        done = prefix64(host, "plan", *options)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout


class TwinTests(PlanTestCase):
    """
    The printed commands on one host, and the server on its twin: both have the same then.
    """

    def assertTwins(self, *options: str, forwarding: bool = False) -> str:
        """
        Run the commands and the server, and compare.

        @return: the script.
        """
        byHand, served = self.makeHost("hand"), self.makeHost("served")
        if forwarding:
            for host in (byHand, served):
                host.sysctl("conf/all/forwarding", 1)
        self.assertEqual(tablesOf(byHand), tablesOf(served))
        before = tablesOf(byHand), switchesOf(byHand)
        script = self.planned(byHand, *options)
        self.assertEqual((tablesOf(byHand), switchesOf(byHand)), before)
        byHand.run("sh", "-ec", script)
        service = self.track(Twistd(served, *options))
        service.waitForStart()
        self.assertEqual(tablesOf(byHand), tablesOf(served), script)
        self.assertEqual(switchesOf(byHand), switchesOf(served), script)
        if "# nothing" not in script:
            self.assertNotEqual((tablesOf(byHand), switchesOf(byHand)), before)
        state = ("--state", str(service.directory / "state"))
        again = self.planned(served, *options, *state)
        self.assertEqual(again.replace(self._holder(service), ""), script)
        service.stop()
        self.assertEqual((tablesOf(served), switchesOf(served)), before)
        return script

    def _holder(self, service: Twistd) -> str:
        """
        What a plan says of the server that runs.
        """
        return f"; served now by process {service.process.pid} (user 0)"

    def test_input(self) -> None:
        """
        All that comes in.
        """
        script = self.assertTwins(*SERVED)
        for reason in ("a gateway", "routed to another interface", "ping is answered once"):
            self.assertIn(f"# {reason}", script)

    def test_local(self) -> None:
        """
        What this host itself sends, too.
        """
        self.assertIn("iif lo to", self.assertTwins(*SERVED, "--local"))

    def test_severalPrefixesAndHoles(self) -> None:
        """
        Prefixes of several lengths, and excluded parts that touch.
        """
        holes = ("2001:db8::e:0/113", "2001:db8::e:8000/113", "2001:db8::2:0", "2001:db8::2:1")
        excluded = [word for hole in holes for word in ("--exclude", hole)]
        self.assertTwins(*SERVED, *SECOND, "--prefix", "2001:db8:2::/58", *excluded)

    def test_ports(self) -> None:
        """
        Some ports, with and without the host itself.
        """
        ports = ("--routing", "ports", "--ports", "tcp:80,tcp:8000-8100,udp")
        script = self.assertTwins(*SERVED, *ports, "--exclude", "2001:db8::e:0/112")
        self.assertIn("blackhole", script)
        self.assertIn("lookup main", script)
        self.assertTwins(*SERVED, *ports, "--local")

    def test_firewallMark(self) -> None:
        """
        With other numbers than the usual ones.
        """
        numbers = ("--fwmark", "7", "--table", "1000", "--priority", "200")
        self.assertTwins(*SERVED, "--routing", "fwmark", *numbers)

    def test_otherNumbers(self) -> None:
        """
        A table whose number does not fit into a byte.
        """
        self.assertTwins(*SERVED, "--table", "100000", "--priority", "32000")

    def test_echo(self) -> None:
        """
        Each of those who may answer ping.
        """
        self.assertNotIn("nft", self.assertTwins(*SERVED, "--echo", "kernel"))
        self.assertIn("icmpv6 type", self.assertTwins(*SERVED, *SECOND, "--echo", "none"))

    def test_kernelsProxy(self) -> None:
        """
        Entries and switches; the default routes of other interfaces are taken care of meanwhile.
        """
        sites = makeSite(self.makeDirectory(), "2001-db8--77")
        makeSite(sites.parent, "2001-db8--78")
        script = self.assertTwins(*SERVED, "--ndp", "kernel", "--sites", str(sites))
        self.assertIn("sysctl -w net/ipv6/conf/eth1.5/accept_ra=2", script)
        self.assertIn("sysctl -w net/ipv6/conf/eth1.5/accept_ra=1", script)
        self.assertIn("add proxy 2001:db8::78 dev eth0", script)

    def test_behind(self) -> None:
        """
        What lives behind this host, with a route and without one.
        """
        behind = ("--forward", "2001:db8::aa00:0/120", "--forward", "2001:db8::bb00:0/120")
        script = self.assertTwins(*SERVED, *behind, forwarding=True)
        self.assertIn("add unreachable 2001:db8::bb00:0/120", script)
        self.assertTwins(*SERVED, "--forward", "auto", forwarding=True)

    def test_noRouting(self) -> None:
        """
        Nothing, or nearly.
        """
        self.assertIn("nft", self.assertTwins(*SERVED, "--routing", "none"))
        nothing = self.assertTwins(*SERVED, "--routing", "none", "--echo", "kernel")
        self.assertTrue(nothing.endswith("\n# nothing\n"), nothing)

    def test_loopback(self) -> None:
        """
        With no options.
        """
        self.assertTwins()


class LookingTests(PlanTestCase):
    """
    It only looks.
    """

    def test_itNeedsNoPrivilegeAndChangesNothing(self) -> None:
        """
        As root and without any capability: the same plan, no file, no lock.
        """
        host, directory = self.makeHost(), self.makeDirectory()
        sites = makeSite(directory, "2001-db8--77")
        state = directory / "state"
        options = (*SERVED, "--ndp", "kernel", "--sites", str(sites), "--state", str(state))
        before = host.dump(), switchesOf(host)
        root = prefix64(host, "plan", *options)
        user = prefix64(host, "plan", *options, within=UNPRIVILEGED)
        self.assertEqual((root.returncode, root.stderr), (0, ""))
        self.assertEqual((user.returncode, user.stderr, user.stdout), (0, "", root.stdout))
        self.assertEqual((host.dump(), switchesOf(host)), before)
        self.assertFalse(state.exists())

    def test_whileTheServerRuns(self) -> None:
        """
        The wanted state, though it is there, and who serves it; the server is not disturbed. So it
        is with what a killed one left.
        """
        host, state = self.makeHost(), self.makeDirectory()
        sites = makeSite(state, "2001-db8--77")
        options = (*SERVED, "--ndp", "kernel", "--sites", str(sites), "--state", str(state))
        before = self.planned(host, *options)
        service = self.track(Twistd(host, *options))
        service.waitForStart()
        dump = host.dump()
        by = f"; served now by process {service.process.pid} (user 0)"
        self.assertEqual(self.planned(host, *options).replace(by, ""), before)
        self.assertIn(by, self.planned(host, *options))
        self.assertEqual(host.dump(), dump)
        service.kill()
        self.assertEqual(self.planned(host, *options), before)

    def test_anObjectionIsTheLastLine(self) -> None:
        """
        The plan is printed all the same, and the status is 1.
        """
        host = self.makeHost()
        host.ip("-6 rule add iif eth1.5 lookup 7 priority 64")
        for more in ((), ("--json",)):
            done = prefix64(host, "plan", *SERVED, *more)
            self.assertEqual(done.returncode, 1)
            self.assertIn("2001:db8::/64", done.stdout)
            self.assertRegex(done.stderr, r"^prefix64: priority 64 is in use by .*\n$")
        self.assertIn("priority 64 is in use", json.loads(done.stdout)["links"][0]["objection"])
        done = prefix64(host, "plan", *SERVED, "--priority", "63")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_anotherInstanceIsAnObjection(self) -> None:
        """
        One that serves the prefix on another interface, or leads a mark to the table.
        """
        host = self.makeHost()
        marked = ("--routing", "fwmark")
        first = self.track(Twistd(host, "--iface", "eth1.5", *SECOND, *marked))
        first.waitForStart()
        self.assertIn(
            f"by process {first.process.pid} (user 0): give this one another --table",
            prefix64(host, "plan", *SERVED, *marked).stderr,
        )
        self.assertEqual(prefix64(host, "plan", "-i", "eth1.5", *SECOND, *marked).stderr, "")
        first.stop()
        second = self.track(Twistd(host, "--iface", "eth1.5", *SECOND))
        second.waitForStart()
        self.assertIn(
            f"is served on eth1.5 already by process {second.process.pid} (user 0)",
            prefix64(host, "plan", "--iface", "eth0", "--prefix", "2001:db8:1::/65").stderr,
        )

    def test_jsonHasTheSameCommands(self) -> None:
        """
        As words, which need no shell.
        """
        host = self.makeHost()
        document = json.loads(self.planned(host, *SERVED, "--json"))
        twin = self.makeHost("twin")
        for command in document["links"][0]["commands"]:
            host.run(*command["command"])
            self.assertTrue(command["reason"])
        twin.run("sh", "-ec", self.planned(twin, *SERVED))
        self.assertEqual(tablesOf(host), tablesOf(twin))
        self.assertEqual(document["links"][0]["prefixes"], ["2001:db8::/64"])

    def test_anotherNameOfTheInterface(self) -> None:
        """
        The commands have the first.
        """
        host = self.makeHost()
        expected = self.planned(host, *SERVED)
        host.ip("link property add dev eth0 altname wan0")
        self.assertEqual(self.planned(host, "-i", "wan0", *SERVED[2:]), expected)

    def test_aStrangeName(self) -> None:
        """
        The kernel takes nearly every letter in the name of an interface.
        """
        name = "e;t$h'*"
        byHand, served = self.makeNamespace("hand"), self.makeNamespace("served")
        options = (
            "--iface",
            name,
            "--prefix",
            "2001:db8::/64",
            "--state",
            str(self.makeDirectory()),
        )
        for host in (byHand, served):
            makeHost(host, name)
        byHand.run("sh", "-ec", self.planned(byHand, *options))
        self.track(Twistd(served, *options)).waitForStart()
        shown = tablesOf(byHand).replace("prefix64-e_t_h__", f"prefix64-{name}")
        self.assertEqual(shown, tablesOf(served))

    def test_aNameThatNftCannotWrite(self) -> None:
        """
        Is said, and all the rest is there.
        """
        host = self.makeNamespace()
        makeHost(host, 'e"h')
        script = self.planned(host, "--iface", 'e"h', "--prefix", "2001:db8::/64")
        self.assertIn("# The echo guard is left out: nft(8) cannot write", script)
        host.run("sh", "-ec", script)
        self.assertIn('iif e"h lookup 64', host.ip("-6 rule show"))

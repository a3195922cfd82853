"""
C{prefix64 cleanup}: what a killed server left goes, and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.kernel.hosts import UNPRIVILEGED, makeHost, makeSite, prefix64
from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import eventually
from tests.kernel.twistd import Twistd

SERVED = ("--iface", "eth0", "--prefix", "2001:db8::/64")
OTHER = ("--iface", "eth1", "--prefix", "2001:db8:1::/64", "--http", "8080")

ALIKE = (
    "route {} throw 2001:db8::f00 table 64 protocol 99",
    "route {} 2001:db8:77::/64 dev eth0 table 64 protocol static",
    "route {} local 2001:db8:78::/64 dev lo table 65 protocol 64",
    "rule {} iif eth0 to 2001:db8::/64 lookup 64 priority 64 protocol static",
    "rule {} iif eth0 to 2001:db8::/64 lookup 65 priority 64 protocol 64",
    "rule {} iif eth0 to 2001:db8::/64 lookup 64 priority 66 protocol 64",
    "rule {} iif eth0 to 2001:db8::/64 from 2001:db8:9::/64 lookup 64 priority 64 protocol 64",
    "rule {} fwmark 64/0xff lookup 64 priority 64 protocol 64",
    "neigh {} proxy 2001:db8::f00 dev eth0",
    "neigh {} proxy 2001:db8::f01 dev eth0 protocol 99",
)
"""What looks much like ours, to be added and deleted."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class CleanupTestCase(KernelTestCase):
    """
    What the tests here have in common.
    """

    def setUp(self) -> None:
        """
        A host with two interfaces that take router advertisements in.
        """
        super().setUp()
        self.host = self.makeNamespace()
        makeHost(self.host, "eth0", "eth1")
        for name in ("eth0", "eth1"):
            self.host.sysctl(f"conf/{name}/accept_ra", 1)
        self.directory = self.makeDirectory()

    def started(self, *options: str) -> Twistd:
        """
        A server that runs.
        """
        service = self.track(Twistd(self.host, *options))
        service.waitForStart()
        return service

    def killed(self, *options: str) -> Twistd:
        """
        A server that was killed.
        """
        service = self.started(*options)
        service.kill()
        table = f"prefix64-{options[1]}"
        eventually(lambda: table not in self.host.run("nft", "list", "tables").stdout)
        return service

    def cleaned(self, *options: str, status: int = 0, state: Path | None = None) -> str:
        """
        Clean up, and return what was printed.

        @param state: the state directory of the server.
        """
        stated = () if state is None else ("--state", str(state))
        done = prefix64(self.host, "cleanup", *options, *stated)
        self.assertEqual((done.returncode, done.stderr), (status, ""))
        return done.stdout


class EveryWayTests(CleanupTestCase):
    """
    After a server of each way was killed all is as it was before it; another one that runs, and
    what looks much alike, stays as it is.
    """

    def assertCleans(
        self, *options: str, other: tuple[str, ...] = (), numbers: tuple[str, ...] = ()
    ) -> str:
        """
        Kill a server while another one runs, and clean up.

        @param other: further options of that one.
        @param numbers: options of both the killed server and the command.
        @return: what was printed.
        """
        running = self.started(*OTHER, *other)
        before = self.host.dump()
        service = self.killed(*SERVED, *options, *numbers)
        left = self.host.dump()
        self.assertNotEqual(left, before)
        state = service.directory / "state"
        for line in ALIKE:
            self.host.ip("-6 " + line.format("add"))
        dry = self.cleaned("--iface", "eth0", "--dry-run", *numbers, state=state)
        said = self.cleaned("--iface", "eth0", *numbers, state=state)
        for line in ALIKE:
            self.host.ip("-6 " + line.format("del"))
        self.assertEqual(self.host.dump(), before, said)
        self.assertEqual(dry.replace("# would be removed:", "# removed:"), said)
        self.assertEqual([*state.iterdir()], [])
        again = self.cleaned("--iface", "eth0", *numbers, state=state)
        self.assertEqual(again.splitlines()[0], "# nothing to remove")
        running.stop()
        self.assertNotIn("somebody", running.log())
        return said

    def test_input(self) -> None:
        """
        The usual way: the lines are in the words of ip, and the rules last.
        """
        said = self.assertCleans("--exclude", "2001:db8::e:0/112")
        lines = said.splitlines()
        self.assertEqual(
            lines[1], "ip -6 route del local 2001:db8::/64 dev lo table 64 protocol 64"
        )
        rule = "ip -6 rule del iif eth0 to 2001:db8::/64 lookup 64 priority 64 protocol 64"
        self.assertIn(rule, lines)
        self.assertNotIn("route", "".join(lines[lines.index(rule) :]))

    def test_local(self) -> None:
        """
        With what this host itself sends; the other one, too.
        """
        self.assertIn("rule del iif lo to", self.assertCleans("--local", other=("--local",)))

    def test_severalPrefixes(self) -> None:
        """
        All of them.
        """
        self.assertCleans("--prefix", "2001:db8:2::/60")

    def test_ports(self) -> None:
        """
        Every rule, the last one too; the other one has some itself.
        """
        ports = ("--routing", "ports", "--ports", "tcp:80,tcp:8080,udp")
        self.assertCleans(*ports, "--exclude", "2001:db8::e:0/112", "--local", other=ports)

    def test_firewallMark(self) -> None:
        """
        The rule that names no interface, and the routes that it led to.
        """
        self.assertIn("rule del fwmark 64", self.assertCleans("--routing", "fwmark"))

    def test_besidesAFirewallMark(self) -> None:
        """
        The routes of the other one, to which no rule leads that names a prefix.
        """
        said = self.assertCleans(other=("--routing", "fwmark"))
        self.assertIn("# left alone: table 64 is where firewall marks lead by process", said)

    def test_otherNumbers(self) -> None:
        """
        Another table and priority.
        """
        numbers = ("--table", "1000", "--priority", "100")
        self.assertCleans(numbers=numbers)

    def test_kernelsProxy(self) -> None:
        """
        Entries and sysctls; the other one has its own.
        """
        sites = makeSite(self.directory, "2001-db8--77")
        other = makeSite(self.directory / "other", "2001-db8-1--77")
        kernel = ("--ndp", "kernel", "--sites")
        said = self.assertCleans(*kernel, str(sites), other=(*kernel, str(other)))
        self.assertIn("neigh del proxy 2001:db8::77 dev eth0", said)
        self.assertIn("sysctl -w net/ipv6/conf/eth0/accept_ra=1", said)

    def test_kernelsProxyWithoutRouting(self) -> None:
        """
        Where that is all that there is.
        """
        sites = makeSite(self.directory, "2001-db8--77")
        self.assertCleans("--routing", "none", "--ndp", "kernel", "--sites", str(sites))

    def test_behind(self) -> None:
        """
        Routes of all kinds.
        """
        self.host.sysctl("conf/all/forwarding", 1)
        self.host.ip("route add 2001:db8::aa00:0/120 dev eth1")
        self.assertCleans("--forward", "2001:db8::aa00:0/120", "--forward", "2001:db8::b0:0/120")


class RunningTests(CleanupTestCase):
    """
    What belongs to somebody who runs.
    """

    def test_aServerThatRunsIsLeftAlone(self) -> None:
        """
        It is said who it is; where it was asked for by name, that is a failure.
        """
        service = self.started(*SERVED, "--local")
        before = self.host.dump()
        line = f"# left alone: eth0 is served by process {service.process.pid} (user 0)\n"
        self.assertEqual(self.cleaned(), "# nothing to remove\n" + line)
        self.assertEqual(self.cleaned("--iface", "eth0", status=1), "# nothing to remove\n" + line)
        self.assertEqual(self.host.dump(), before)
        service.stop()
        self.assertNotIn("somebody", service.log())

    def test_routesThatNobodyNamesMayBeOfOneWhoRuns(self) -> None:
        """
        Where marks lead to the table, routes without a rule stay; later they go.
        """
        service = self.started(*OTHER, "--routing", "fwmark")
        before = self.host.dump()
        self.killed(*SERVED)
        self.host.ip("-6 rule del iif eth0 to 2001:db8::/64 lookup 64 priority 64 protocol 64")
        left = self.host.dump()
        self.assertIn("# nothing to remove\n# left alone: ", self.cleaned())
        self.assertEqual(self.host.dump(), left)
        service.kill()
        self.assertIn("rule del fwmark 64", self.cleaned("--iface", "eth0"))
        self.assertEqual(self.host.ip("-6 route show table 64", check=False), "")
        self.assertNotEqual(before, left)

    def test_ofTwoThatWereKilledOneIsAskedFor(self) -> None:
        """
        The other's stays, until every one is asked for.
        """
        before = self.host.dump()
        self.killed(*OTHER, "--local")
        other = self.host.dump()
        self.killed(*SERVED, "--local")
        self.cleaned("--iface", "eth0")
        self.assertEqual(self.host.dump(), other)
        self.killed(*SERVED)
        self.cleaned()
        self.assertEqual(self.host.dump(), before)

    def test_onLoopbackAnotherRuns(self) -> None:
        """
        Its rules are C{iif lo} as those of C{--local} are.
        """
        service = self.started("--prefix", "2001:db8:1::/64", "--http", "8080")
        before = self.host.dump()
        self.killed(*SERVED, "--local")
        self.cleaned()
        self.assertEqual(self.host.dump(), before)
        service.kill()
        self.cleaned("--iface", "lo")
        self.assertEqual(self.host.ip("-6 rule show priority 64"), "")

    def test_anInterfaceThatIsGone(self) -> None:
        """
        Its rules and routes outlive it.
        """
        before = self.host.ip("-6 rule show"), self.host.ip("-6 route show table all")
        self.killed(*OTHER)
        self.host.ip("link del eth1")
        self.assertIn("rule del iif eth1", self.cleaned("--iface", "eth1"))
        rules, routes = (
            self.host.ip("-6 rule show"),
            self.host.ip("-6 route show table 64", check=False),
        )
        self.assertEqual((rules, routes), (before[0], ""))

    def test_anotherNameOfTheInterface(self) -> None:
        """
        The server is told one, and the command; the kernel's rules have the first.
        """
        before = self.host.dump()
        self.host.ip("link property add dev eth0 altname wan0")
        service = self.started("--iface", "wan0", "--prefix", "2001:db8::/64")
        self.assertIn("eth0 is served by", self.cleaned("--iface", "wan0", status=1))
        service.kill()
        self.assertIn("rule del iif eth0 to", self.cleaned("--iface", "wan0"))
        self.host.ip("link property del dev eth0 altname wan0")
        eventually(lambda: self.host.dump() == before)

    def test_anInterfaceThatNobodyKnows(self) -> None:
        """
        Is said to be none: it may be a slip of the finger.
        """
        line = "# nothing to remove: there is no interface eth9\n"
        self.assertEqual(self.cleaned("--iface", "eth9"), line)

    def test_otherNumbersAreNamed(self) -> None:
        """
        What was left under others than those that were asked for.
        """
        self.killed(*SERVED, "--table", "70", "--priority", "71")
        hint = "prefix64 cleanup --table 70 --priority 71\n"
        said = self.cleaned()
        self.assertTrue(said.startswith("# nothing to remove\n") and said.endswith(hint), said)
        self.assertNotIn("nothing", self.cleaned("--table", "70", "--priority", "71"))
        self.assertEqual(self.cleaned(), "# nothing to remove\n")


class PrivilegeTests(CleanupTestCase):
    """
    What it may do.
    """

    def test_withoutPrivilegeNothingIsChanged(self) -> None:
        """
        One line says what is missing; to look needs nothing.
        """
        self.killed(*SERVED)
        before = self.host.dump()
        done = prefix64(self.host, "cleanup", within=UNPRIVILEGED)
        line = "prefix64: this needs CAP_NET_ADMIN: run it as root (sudo)\n"
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", line))
        done = prefix64(self.host, "cleanup", "--dry-run", "--json", within=UNPRIVILEGED)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        document = json.loads(done.stdout)
        self.assertTrue(document["dryRun"])
        self.assertEqual(self.host.dump(), before)
        for command in document["removed"]:
            self.host.run(*command)
        self.assertEqual(self.cleaned(), "# nothing to remove\n")

    def test_theNextStartFindsNothing(self) -> None:
        """
        And is not disturbed by locks.
        """
        self.killed(*SERVED)
        self.cleaned()
        service = self.started(*SERVED)
        self.assertNotIn("taking over", service.log())

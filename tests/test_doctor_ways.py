"""
The doctor's judgement of each way of running: options put together, command lines read, and facts
judged. The faults themselves are made in C{tests.kernel.test_doctor_ways}.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.doctor import running
from prefix64.doctor.answerer_checks import checkOthersHere, isAnswered
from prefix64.doctor.facts import Arrival, Instance, Process, Switches
from prefix64.doctor.findings import Finding
from prefix64.doctor.firewall.facts import FirewallFacts
from prefix64.doctor.firewall.ruleset import Ruleset
from prefix64.doctor.firewall_checks import checkListening
from prefix64.doctor.link_checks import checkInstance, checkMulticast, checkPrivileges
from prefix64.doctor.mark_checks import checkMarks
from prefix64.doctor.observation import Observation
from prefix64.doctor.routing_checks import checkRoutes
from prefix64.doctor.rule_checks import checkRules
from prefix64.doctor.running import commandLine, told
from prefix64.doctor.start_checks import checkArrival, checkStart
from prefix64.doctor.switch_checks import checkForward, checkSwitches
from prefix64.doctor.traffic_checks import checkSolicitations
from prefix64.doctor.ways import contradictions, derived, judged, texts, words
from prefix64.errors import OptionError
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.hosts.table import HostTable
from prefix64.options.link import linkSettings
from prefix64.ownership import Ownership
from prefix64.routing.entries import Proxy, Route, Rule, Service
from prefix64.routing.facts import RouteFact, RuleFact
from prefix64.routing.plan import plan, proxies
from prefix64.settings import LinkSettings
from tests.test_doctor import LINK, PREFIX, ROUTER_LAYER, RUNNING, STOPPED, TARGET, WELL, but, said

P = "2001:db8::/64"
PORTS = {"routing": "ports", "ports": "tcp:80"}


def settingsOf(**options: Any) -> LinkSettings:
    """
    The settings of some options on eth0.
    """
    return linkSettings({"iface": "eth0", "prefix": [P], **options})


def runs(isRunning: bool = True, **options: Any) -> Any:
    """
    A host on which prefix64 runs well with some options; or does not run.
    """
    settings = settingsOf(**options)
    ownership = Ownership((PREFIX,), settings.excluded)
    wanted = plan(ownership, "eth0", settings.reachableFromHere, settings.steering)
    rules = tuple(RuleFact(r.priority, r.destination, r.table, r.interface, protocol=64, ours=r)
                  for r in wanted.rules)  # fmt: skip
    facts = but(
        WELL,
        settings=settings,
        instance=but(RUNNING, settings=settings),
        ownership=ownership,
        plan=wanted,
        rules=(WELL.rules[0], *rules),
        ourRoutes=frozenset(wanted.routes),
        marked=frozenset({64}),
    )
    none: Any = {"instance": None, "rules": WELL.rules[:1], "ourRoutes": frozenset()}
    return facts if isRunning else but(facts, **none, listening=frozenset())


class OptionsTests(SynchronousTestCase):
    """
    The user's options, and those of the one that runs.
    """

    def test_thereAndBack(self) -> None:
        """
        The options of some settings make the same settings.
        """
        for options in (
            {},
            PORTS,
            {"routing": "ports", "ports": "tcp:80,udp:6000-6100,sctp", "table": "7"},
            {"routing": "fwmark", "fwmark": "9", "priority": "100"},
            {"routing": "none", "ndp": "none"},
            {"ndp": "kernel", "echo": "none", "exclude": ["2001:db8::7"]},
            {"forward": ["2001:db8::ab00/120", "auto"], "respond": "hosts", "local": True},
        ):
            settings = settingsOf(**options)
            self.assertEqual(linkSettings(texts(settings)), settings)

    def test_theUsersWordsComeFirst(self) -> None:
        """
        And what contradicts them is left out of the rest.
        """
        running = texts(settingsOf(**PORTS, forward=["2001:db8::ab00/120"], table="7"))
        same = judged({"iface": "eth0"}, running)
        self.assertEqual((same.steering.way.value, same.steering.numbers.table), ("ports", 7))
        self.assertEqual(same.prefixes, (PREFIX,))
        other = judged({"routing": "input"}, running)
        self.assertEqual((other.steering.services, other.steering.numbers.table), ((), 7))
        self.assertEqual(len(other.behind), 1)
        other = judged({"prefix": ["2001:db8:1::/64"]}, running)
        self.assertEqual((other.steering.way.value, other.behind), ("ports", ()))
        other = judged({"ndp": "none"}, running)
        self.assertEqual((other.ndp.value, other.behind), ("none", ()))

    def test_theUsersMistakes(self) -> None:
        """
        Are the server's own lines.
        """
        for given, error in (
            ({"routing": "loud"}, "--routing 'loud': choose one of input, ports, fwmark, none"),
            ({"routing": "ports"}, "--routing ports needs --ports"),
            ({"fwmark": "7"}, "--fwmark 7 needs --routing fwmark"),
            ({"table": "254"}, "--table 254: 253 to 255 are the kernel's own"),
        ):
            for others in ({}, texts(settingsOf())):
                wrong = self.assertRaises(
                    OptionError, judged, {"iface": "eth0", "prefix": [P], **given}, others
                )
                self.assertIn(error, str(wrong))

    def test_asWords(self) -> None:
        """
        Only what is not the default; and what differs.
        """
        self.assertEqual(list(words(settingsOf())), [])
        self.assertEqual(
            list(words(settingsOf(**PORTS, table="7", forward=["auto"], local=True))),
            ["--forward auto", "--routing ports", "--table 7", "--local", "--ports tcp:80"],
        )
        self.assertEqual(contradictions(settingsOf(), settingsOf()), [])
        self.assertEqual(
            contradictions(settingsOf(**PORTS), settingsOf(ndp="kernel")),
            ["--routing input", "no --ports", "--ndp kernel"],
        )

    def test_fromTheKernelsTables(self) -> None:
        """
        Each way can be told but the one that has nothing there.
        """
        for options in (
            {"table": "7", "priority": "9"},
            {"routing": "ports", "ports": "tcp:80,tcp:443"},
            {"routing": "fwmark", "fwmark": "9", "table": "7"},
        ):
            settings = settingsOf(**options)
            rules = plan(Ownership((PREFIX,)), "eth0", False, settings.steering).rules
            found = derived(rules, (), "eth0", lambda table: table == 7)
            self.assertEqual(judged({"iface": "eth0", "prefix": [P], **found}, {}), settings)
        mark = (Rule("", parsePrefix("::/0"), mark=9, table=7),)
        self.assertEqual(derived(mark, (), "eth0", lambda table: False), {})
        self.assertEqual(derived((Rule("eth1", PREFIX),), (), "eth0", bool), {})
        self.assertEqual(derived((), (Proxy("eth0", TARGET),), "eth0", bool), {"ndp": "kernel"})


class CommandLineTests(SynchronousTestCase):
    """
    The command line of the one that runs, which anybody may have written.
    """

    def read(self, *words: str | bytes) -> Instance:
        """
        What is read of a process with these words behind those that start it.
        """
        with self.started(*words) as process:
            self.assertEqual(len(commandLine(process)), len(words) + 3)
            return told(Instance("by it"), process, "eth0")

    @contextmanager
    def started(self, *words: str | bytes) -> Iterator[int]:
        """
        A process with these words behind those that start it.
        """
        program = "import sys; print(flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.communicate()

    def test_asItWasTold(self) -> None:
        """
        Behind twistd's own options, of which one may have the same name.
        """
        serves = ("-i", "eth0", "-p", P)
        found = self.read("--logfile", "prefix64", "-n", "prefix64", *serves, "--http", "8080",
                          "--routing=ports", "--ports", "tcp:8080", "--wait", "5")  # fmt: skip
        self.assertEqual(found.settings, settingsOf(routing="ports", ports="tcp:8080"))
        self.assertEqual((found.ports, found.hosts), ((8080,), ()))
        found = self.read("prefix64", *serves, "--http", "none", "--access-log", "/nowhere/x")
        self.assertEqual((found.settings, found.ports), (settingsOf(), ()))

    def test_sites(self) -> None:
        """
        The tree is that of the other process; one that cannot be read is not known.
        """
        tree = self.mktemp()
        subprocess.run(["mkdir", "-p", f"{tree}/2001-db8--cafe"], check=True)
        found = self.read("prefix64", "-i", "eth0", "-p", P, "--sites", tree)
        assert found.hosts is not None
        self.assertEqual([host.prefix for host in found.hosts], [parsePrefix("2001:db8::cafe")])
        found = self.read("prefix64", "-i", "eth0", "-p", P, "--sites", "/nowhere")
        self.assertIsNone(found.hosts)
        self.assertIsNotNone(found.settings)

    def test_whatIsNone(self) -> None:
        """
        Nothing is taken of it, and nothing is printed.
        """
        for line in (
            (),
            ("prefix64", "--version"),
            ("prefix64", "--help"),
            ("prefix64", "--unheard"),
            ("prefix64", "-i", "eth0"),
            ("prefix64", "-i", "eth0", "-p", "\x1b[31m"),
            ("prefix64", "-i", b"\xff\xfe", "-p", "x"),
            ("prefix64", "-i", "eth0", "-p", P, "--http", "x"),
            ("prefix64", *(f"a{number}" for number in range(5000))),
        ):
            self.assertIsNone(self.read(*line).settings, line)
        self.assertEqual(commandLine(1 << 30), [])

    def test_anOptionThatIsNotKnown(self) -> None:
        """
        It may say anything of how the interface is served, so that nothing is known.
        """
        line = ("prefix64", "-i", "eth0", "-p", P)
        self.assertIsNotNone(self.read(*line).settings)
        self.patch(running, "_KNOWN", {"iface"})
        self.assertIsNone(self.read(*line).settings)

    def test_tooLong(self) -> None:
        """
        Half a command line is none.
        """
        self.patch(running, "_MOST_BYTES", 100)
        line = ("prefix64", "-i", "eth0", "-p", P)
        with self.started(*line) as process:
            self.assertEqual(commandLine(process), [])


class WayTests(SynchronousTestCase):
    """
    Each way, well and not.
    """

    ways: tuple[dict[str, Any], ...] = (
        {},
        PORTS,
        {"routing": "fwmark"},
        {"routing": "none"},
        {"table": "7", "priority": "9"},
        {"ndp": "none"},
        {"local": True},
    )

    def test_well(self) -> None:
        """
        Running or not, nothing is wrong with rules, routes and the start.
        """
        for options in self.ways:
            for isRunning in (True, False):
                facts = runs(isRunning, **options)
                found: list[Finding] = [*checkRules(facts), *checkRoutes(facts)]
                found += [*checkStart(facts), *checkSwitches(facts), *checkListening(facts)]
                self.assertEqual({f.judgement.value for f in found}, {"ok"}, said(*found))

    def test_howItIsStarted(self) -> None:
        """
        The command has the options.
        """
        facts = runs(False, **PORTS, exclude=["2001:db8::7"], ndp="none")
        (finding,) = checkInstance(facts)
        self.assertEqual(
            finding.advice,
            (f"sudo twistd -n prefix64 --iface eth0 --prefix {P} --exclude 2001:db8::7 "
             "--routing ports --ndp none --ports tcp:80",),
        )  # fmt: skip

    def test_everyRuleIsNamedThatIsMissing(self) -> None:
        """
        The last one by what it is for.
        """
        facts = runs(**PORTS)
        found = said(*checkRules(but(facts, rules=facts.rules[:1])))
        self.assertEqual(len(found), 2)
        self.assertIn("ipproto ipv6-icmp lookup 64 are missing, though", found[0])
        self.assertIn("back to the router where this host forwards", found[1])

    def test_leftByACrash(self) -> None:
        """
        The command that removes it has its numbers.
        """
        running = runs(**PORTS, table="7", priority="9")
        facts = but(running, instance=None)
        (finding, *_) = checkRules(facts)
        self.assertIn("and 1 more" if len(running.plan.rules) > 3 else "blackhole", finding.text)
        self.assertTrue(finding.advice[0].endswith("--iface eth0 --table 7 --priority 9"))
        only = but(facts, rules=running.rules[-1:])
        self.assertTrue(next(checkRules(only)).advice[0].endswith("eth0 --priority 9"))
        (finding, *_) = checkRoutes(facts)
        self.assertIn("table 7 has 3 routes of a prefix64 that crashed", finding.text)
        other = frozenset({Route(r.kind, r.destination, "", 99) for r in running.plan.routes})
        there = but(running, ourRoutes=running.ourRoutes | other)
        self.assertIn("warning routes: table 99 has 3 routes", "".join(said(*checkRoutes(there))))

    def test_howItRunsCannotBeTold(self) -> None:
        """
        Without a rule it may be right so.
        """
        facts = but(runs(), known=False, rules=WELL.rules[:1])
        (finding,) = checkRules(facts)
        self.assertEqual(finding.judgement.value, "unknown")
        deaf = but(facts, link=but(LINK, receivesAllMulticast=False))
        (finding,) = checkMulticast(deaf)
        self.assertEqual(finding.judgement.value, "unknown")

    def test_privileges(self) -> None:
        """
        Those that the way needs.
        """
        for options, capabilities, expected in (
            ({"routing": "none", "ndp": "none"}, 0, "ok"),
            ({"routing": "none", "ndp": "none", "echo": "protocol"}, 1 << 12, "problem"),
            ({"ndp": "none"}, 1 << 12, "ok"),
            ({"ndp": "kernel"}, 1 << 12, "ok"),
            ({}, 1 << 12, "problem"),
        ):
            facts = runs(**options)
            facts = but(facts, instance=but(facts.instance, capabilities=capabilities))
            self.assertEqual(checkPrivileges(facts).judgement.value, expected, options)

    def test_arrivals(self) -> None:
        """
        Asked for beside an instance, and where somebody else does the routing.
        """
        lost = (Arrival(TARGET, 80, False, "dropped"),)
        for options, isRunning, expected in (
            ({}, True, ["problem"]),
            ({}, False, []),
            ({"routing": "none"}, False, ["problem"]),
            ({"routing": "ports", "ports": "tcp:443"}, True, []),
            ({"routing": "none", "respond": "hosts"}, True, ["ok"]),
        ):
            facts = but(runs(isRunning, **options), arrivals=lost)
            self.assertEqual([f.judgement.value for f in checkArrival(facts)], expected)

    def test_whatAStartMeets(self) -> None:
        """
        Somebody else's priority, table and mark; the end of a port range is none of it.
        """
        theirs = RuleFact(65, parsePrefix("::/0"), 9)
        for options, more, expected in (
            ({}, {"rules": (*WELL.rules[:1], theirs)}, ["ok"]),
            (PORTS, {"rules": (*WELL.rules[:1], theirs)}, ["problem"]),
            ({}, {"routes": (RouteFact(64, PREFIX, interfaces=("wg0",)),)}, ["problem"]),
            ({"routing": "none"}, {"routes": (RouteFact(64, PREFIX),)}, ["ok"]),
            ({"routing": "fwmark"}, {"markedBy": "by process 7 (user 0)"}, ["problem"]),
            ({"local": True}, {"sshPeers": frozenset({TARGET})}, ["problem"]),
            ({}, {"sshPeers": frozenset({TARGET})}, ["ok"]),
        ):
            found = list(checkStart(but(runs(False, **options), **more)))
            self.assertEqual([f.judgement.value for f in found], expected, said(*found))
            self.assertFalse([f for f in found if f.judgement.value != "ok" and not f.advice])


class NeighborTests(SynchronousTestCase):
    """
    Who answers solicitations.
    """

    def hosts(self, *texts: str) -> HostTable:
        """
        A table with some hosts.
        """
        rules = [Host(parsePrefix(text), WelcomeSite()) for text in texts]
        return HostTable(Ownership((PREFIX,)), rules)

    def proxy(self, **more: Any) -> Any:
        """
        A host where the kernel is a proxy for one address.
        """
        facts = runs(ndp="kernel")
        wanted = but(facts.plan, proxies=proxies("eth0", [TARGET]))
        switches = Switches(forwardingHere=1, proxy=1, acceptRouterAdvertisements=2)
        there: Any = {"plan": wanted, "hosts": self.hosts("2001:db8::cafe"), "switches": switches}
        there |= {"proxied": frozenset({TARGET}), "ourProxies": frozenset({TARGET})}
        return but(facts, **(there | more))

    def test_theKernelsProxy(self) -> None:
        """
        Each thing that it needs.
        """
        switches = self.proxy().switches
        for more, check, expected in (
            ({}, checkOthersHere, "ok"),
            ({}, checkSwitches, "ok"),
            ({"ourProxies": frozenset(), "proxied": frozenset()}, checkOthersHere, "problem"),
            ({"hosts": None}, checkOthersHere, "unknown"),
            ({"plan": runs().plan}, checkOthersHere, "warning"),
            ({"switches": but(switches, proxy=0)}, checkSwitches, "problem"),
            ({"switches": but(switches, forwardingHere=0)}, checkSwitches, "problem"),
            (
                {"switches": but(switches, acceptRouterAdvertisements=1), "routes": ()},
                checkSwitches,
                "warning",
            ),
        ):
            found = list(check(self.proxy(**more)))
            self.assertEqual([f.judgement.value for f in found], [expected], said(*found))

    def test_aDefaultRouteThatWillEnd(self) -> None:
        """
        One by router advertisements where none is accepted; one made by hand stays.
        """
        switches = Switches(forwarding=1, forwardingHere=1)
        for protocol, expected in ((9, "warning"), (4, "ok")):
            routes = (dataclasses.replace(WELL.routes[0], protocol=protocol),)
            (finding,) = checkSwitches(but(WELL, switches=switches, routes=routes))
            self.assertEqual(finding.judgement.value, expected)

    def test_programs(self) -> None:
        """
        Two who answer are one too many; with C{--ndp none}, one is wanted.
        """
        here = Process(9, "ndppd", True, True)
        for facts, process, expected in (
            (runs(), here, "problem"),
            (runs(), but(here, onInterface=None), "warning"),
            (runs(), but(here, here=None), "warning"),
            (runs(), but(here, onInterface=False), "ok"),
            (runs(False), here, "warning"),
            (runs(ndp="kernel"), here, "problem"),
            (runs(ndp="none"), here, "ok"),
            (runs(ndp="none"), but(here, onInterface=None), "ok"),
        ):
            finding = next(checkOthersHere(but(facts, processes=(process,))))
            self.assertEqual(finding.judgement.value, expected, finding)

    def test_entriesOfOthers(self) -> None:
        """
        In the way, unless solicitations are left to others.
        """
        on = Switches(forwardingHere=1, proxy=1)
        for options, switches, expected in (
            ({}, on, "warning"),
            ({}, Switches(), "ok"),
            ({"ndp": "none"}, on, "ok"),
            ({"ndp": "none"}, Switches(), "warning"),
        ):
            facts = but(runs(**options), proxied=frozenset({TARGET}), switches=switches)
            (finding,) = checkOthersHere(facts)
            self.assertEqual(finding.judgement.value, expected, finding)
        left = but(STOPPED, proxied=frozenset({TARGET}), ourProxies=frozenset({TARGET}))
        (finding,) = checkOthersHere(left)
        self.assertIn("crashed has left", finding.text)

    def test_answers(self) -> None:
        """
        What is not to be answered for is not missed.
        """
        seen = Observation(10.0, 1, 1, example=(TARGET, 1, ROUTER_LAYER))
        seen.solicited[TARGET] += 1
        listed, other = self.hosts("2001:db8::cafe"), self.hosts("2001:db8::1:1")
        for options, hosts, isAnsweredFor, expected in (
            ({}, None, True, "problem"),
            ({"ndp": "kernel"}, listed, True, "problem"),
            ({"ndp": "kernel"}, other, False, "ok"),
            ({"ndp": "kernel"}, None, None, "ok"),
            ({"respond": "hosts"}, other, False, "ok"),
            ({"ndp": "none"}, other, True, "problem"),
        ):
            facts = but(runs(**options), hosts=hosts)
            self.assertIs(isAnswered(facts, TARGET), isAnsweredFor)
            finding = checkSolicitations(facts, seen)
            self.assertEqual(finding.judgement.value, expected, finding)


class ForwardTests(SynchronousTestCase):
    """
    What lives behind this host.
    """

    def test_routesAndForwarding(self) -> None:
        """
        Both are needed.
        """
        part, half = parsePrefix("2001:db8::ab00/120"), parsePrefix("2001:db8::ab00/121")
        for given, routed, forwarding, expected in (
            ([], (), 0, []),
            ([str(part)], (part,), 1, ["ok"]),
            ([str(part)], (half,), 1, ["warning"]),
            ([str(part)], (), 1, ["problem"]),
            ([str(part)], (part,), 0, ["problem", "ok"]),
            (["auto"], (part,), 1, ["ok"]),
            (["auto"], (), 1, ["warning"]),
        ):
            ownership = Ownership((PREFIX,), routed=routed)
            switches = Switches(forwarding=forwarding)
            facts = but(runs(forward=given), ownership=ownership, switches=switches)
            found = [f.judgement.value for f in checkForward(facts)]
            self.assertEqual(found, expected, given)
        forced = but(runs(forward=["auto"]), switches=Switches(forced=1), ownership=ownership)
        self.assertEqual([f.judgement.value for f in checkForward(forced)], ["warning"])

    def test_itIsNotSaidNotToMatter(self) -> None:
        """
        Where it does.
        """
        for options in ({"forward": ["auto"]}, {"ndp": "kernel"}):
            switches = Switches(forwarding=1, forwardingHere=1, proxy=1)
            (finding,) = checkSwitches(but(runs(**options), switches=switches))
            self.assertNotIn("does not matter", finding.text)


class ServiceTests(SynchronousTestCase):
    """
    C{--ports} and what listens; C{--fwmark} and what the firewall marks.
    """

    def test_aPortThatIsNotTaken(self) -> None:
        """
        Whoever listens there.
        """
        for services, expected in (("tcp:80", "ok"), ("tcp", "ok"), ("udp:80", "problem"),
                                   ("tcp:81-90", "problem")):  # fmt: skip
            (finding,) = checkListening(runs(routing="ports", ports=services))
            self.assertEqual(finding.judgement.value, expected)
        self.assertTrue(Service(6, 80, 90).has(6, 90))

    def test_whatIsMarked(self) -> None:
        """
        Only where the mark matters.
        """
        facts = runs(routing="fwmark")
        unread = FirewallFacts(None, "nft is not installed", "apt-get install nftables")
        self.assertEqual(list(checkMarks(runs(), unread)), [])
        (finding,) = checkMarks(facts, unread)
        self.assertEqual(finding.judgement.value, "unknown")
        found = [f.judgement.value for f in checkMarks(facts, FirewallFacts(Ruleset([])))]
        self.assertEqual(found, ["problem", "warning"])

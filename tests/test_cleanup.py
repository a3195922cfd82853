"""
C{prefix64 cleanup} on fakes: what is a leftover, and what is said.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.cleanup.cleaning import Cleaning, Outcome, Question
from prefix64.cleanup.command import asJson, lines
from prefix64.edges import Edges
from prefix64.errors import InterfaceError, RoutingError
from prefix64.instance_lock import markLock
from prefix64.kernel.switch_record import Changed, SwitchRecord
from prefix64.ownership import Ownership
from prefix64.routing.entries import (
    EVERYWHERE,
    MAIN_TABLE,
    PROTOCOL,
    Numbers,
    Proxy,
    Route,
    RouteKind,
    Rule,
    Service,
    Steering,
    Sysctl,
    Way,
)
from prefix64.routing.facts import RuleFact
from prefix64.routing.leftovers import Leftovers, Running, leftovers, otherNumbers
from prefix64.routing.plan import plan
from prefix64.routing.preflight import HostFacts, Intent, objection
from prefix64.testing import MemoryKernel, MemoryLock
from tests.test_cli import runMain

ONE, TWO = parsePrefix("2001:db8::/64"), parsePrefix("2001:db8:1::/64")
LOCAL_ONE, LOCAL_TWO = Route(RouteKind.LOCAL, ONE), Route(RouteKind.LOCAL, TWO)
HOLE = Route(RouteKind.THROW, parsePrefix("2001:db8::/128"))
MARK = Rule("", EVERYWHERE, None, 64)
NUMBERS = Numbers()


class LeftoversTests(SynchronousTestCase):
    """
    L{leftovers}.
    """

    def found(
        self,
        *entries: Rule | Route | Proxy,
        running: Running | None = None,
        only: str | None = None,
    ) -> Leftovers:
        return leftovers(
            [one for one in entries if isinstance(one, Rule)],
            [one for one in entries if isinstance(one, Route)],
            [one for one in entries if isinstance(one, Proxy)],
            NUMBERS,
            running or Running(),
            only,
        )

    def test_theOrderIsThatOfAnOrderlyEnd(self) -> None:
        """
        Local routes before holes; of rules the one that drops first, and lo before its interface.
        """
        eth0, lo = Rule("eth0", ONE), Rule("lo", ONE)
        drops = Rule("eth0", ONE, table=0, priority=65)
        found = self.found(eth0, lo, drops, HOLE, LOCAL_ONE)
        self.assertEqual(found.routes, (LOCAL_ONE, HOLE))
        self.assertEqual(found.rules, (drops, lo, eth0))

    def test_whatIsServedStays(self) -> None:
        """
        Rules with their routes, and proxies.
        """
        proxies = [Proxy(name, parseAddress("2001:db8::7")) for name in ("eth0", "eth1")]
        entries = (Rule("eth0", ONE), Rule("eth1", TWO), HOLE, LOCAL_ONE, LOCAL_TWO, *proxies)
        found = self.found(*entries, running=Running({"eth0"}))
        self.assertEqual(found, Leftovers((proxies[1],), (LOCAL_TWO,), (Rule("eth1", TWO),)))

    def test_otherNumbersAreNotLookedAt(self) -> None:
        """
        Another table, another priority; the rule to the main table has ours.
        """
        main = Rule("eth0", HOLE.destination, None, 0, MAIN_TABLE)
        others = [Rule("eth0", ONE, table=65), Rule("eth0", ONE, priority=65)]
        others.append(dataclasses.replace(main, priority=65))
        others.append(Rule("eth0", ONE, table=0, priority=64))
        found = self.found(main, *others, dataclasses.replace(LOCAL_ONE, table=65))
        self.assertEqual(found, Leftovers(rules=(main,)))

    def test_aRunningOneWithAnotherPriorityKeepsItsRoutes(self) -> None:
        """
        In the same table.
        """
        other = Rule("eth1", TWO, priority=70)
        found = self.found(other, LOCAL_ONE, LOCAL_TWO, running=Running({"eth1"}))
        self.assertEqual(found, Leftovers(routes=(LOCAL_ONE,)))
        self.assertEqual(self.found(other, LOCAL_TWO).routes, (LOCAL_TWO,))

    def test_loRulesBelongToTheInterfaceOfTheirPrefix(self) -> None:
        """
        Also where lo itself is served; else to lo.
        """
        entries = Rule("eth0", ONE), Rule("lo", ONE), Rule("lo", TWO)
        eth0, lo, alone = entries
        for running, rules in (
            (Running({"lo"}), (lo, eth0)),
            (Running({"eth0"}), (alone,)),
            (Running({"eth0", "lo"}), ()),
        ):
            self.assertEqual(self.found(*entries, running=running).rules, rules)
        self.assertEqual(self.found(*entries, only="lo").rules, (alone,))
        self.assertEqual(self.found(*entries, only="eth0").rules, (lo, eth0))

    def test_marks(self) -> None:
        """
        The rule for a mark is of whoever leads marks to its table, and so may be routes to which no
        other rule leads.
        """
        entries = MARK, Rule("eth0", ONE), LOCAL_ONE, LOCAL_TWO
        found = self.found(*entries, running=Running(marks={64}))
        self.assertEqual(found, Leftovers((), (LOCAL_ONE,), (Rule("eth0", ONE),)))
        found = self.found(*entries, running=Running({"eth0"}, {65}))
        self.assertEqual(found, Leftovers((), (LOCAL_TWO,), (MARK,)))
        self.assertEqual(self.found(*entries, only="eth1").rules, (MARK,))

    def test_whoseRulesAreGoneForAMomentKeepsHisRoutes(self) -> None:
        """
        Somebody deleted the rules of one who runs, which will come back in a second.
        """
        entries = Rule("eth0", ONE), LOCAL_ONE, LOCAL_TWO
        self.assertEqual(self.found(*entries, running=Running({"eth1"})).routes, (LOCAL_ONE,))
        self.assertEqual(self.found(*entries).routes, (LOCAL_ONE, LOCAL_TWO))

    def test_onlyOneInterface(self) -> None:
        """
        What another one that crashed has stays, with its routes.
        """
        entries = Rule("eth0", ONE), Rule("eth1", TWO), LOCAL_ONE, LOCAL_TWO
        found = self.found(*entries, only="eth0")
        self.assertEqual(found, Leftovers((), (LOCAL_ONE,), (Rule("eth0", ONE),)))

    def test_otherNumbersAreTold(self) -> None:
        """
        Where something seems to be left under them.
        """
        rules = [
            Rule("eth0", ONE, Service(6, 80), 0, 70, 71),
            Rule("lo", ONE, Service(6, 80), 0, 70, 71),
            dataclasses.replace(MARK, table=80),
            Rule("eth0", ONE),
            Rule("eth1", ONE, table=0, priority=65),
        ]
        found = otherNumbers(rules, NUMBERS, Running())
        self.assertEqual(found, [Numbers(70, 71), Numbers(80, 64)])
        self.assertEqual(otherNumbers(rules, NUMBERS, Running({"eth0"}, {80})), [])


class CleaningTests(SynchronousTestCase):
    """
    L{Cleaning}.
    """

    def setUp(self) -> None:
        self.patch(MemoryLock, "held", {})
        self.kernel = MemoryKernel()
        self.state = os.path.abspath(self.mktemp())
        os.mkdir(self.state)
        self.record = SwitchRecord(self.state, "eth0")

    def cleaned(self, rehearsed: bool = False, only: str | None = None) -> Outcome:
        edges = Edges(lock=MemoryLock, holder=MemoryLock.holder, kernel=lambda: self.kernel)
        question = Question(NUMBERS, only, self.state, rehearsed)
        outcome = Cleaning(question, edges).clean()
        self.assertTrue(self.kernel.closed)
        return outcome

    def words(self, outcome: Outcome) -> list[str]:
        return [command.shellWords for command in outcome.removed]

    def changed(self, interface: str, name: str, value: str, before: str) -> Changed:
        """
        A switch that is as a run has set it.
        """
        self.kernel.switches[interface, name] = value
        return Changed(Sysctl(interface, name, value), before)

    def test_switchesArePutBackTheLastFirst(self) -> None:
        """
        Unless somebody has changed one since; and the record goes.
        """
        changed = [
            self.changed("eth0", "accept_ra", "2", "1"),
            self.changed("eth0", "forwarding", "1", "0"),
            self.changed("eth0", "proxy_ndp", "1", "0"),
        ]
        self.record.write(changed, 2)
        self.kernel.switches["eth0", "forwarding"] = "0"
        expected = [
            "sysctl -w net/ipv6/conf/eth0/proxy_ndp=0",
            "sysctl -w net/ipv6/conf/eth0/accept_ra=1",
        ]
        self.assertEqual(self.words(self.cleaned(rehearsed=True)), expected)
        self.assertEqual(self.kernel.log, [])
        self.assertEqual(self.words(self.cleaned()), expected)
        self.assertEqual(self.kernel.log, ["set " + line.split()[2] for line in expected])
        self.assertEqual(os.listdir(self.state), [])
        self.assertEqual(self.words(self.cleaned()), [])

    def test_aSwitchOfAnInterfaceThatIsServedNowStays(self) -> None:
        """
        A run that was killed in the middle of a change left it; whoever serves it counts on it. It
        stays written down.
        """
        changed = [self.changed(name, "accept_ra", "2", "1") for name in ("lo", "eth0")]
        self.record.write(changed, 2)
        lock = MemoryLock("lo")
        expected = ["sysctl -w net/ipv6/conf/eth0/accept_ra=1"]
        self.assertEqual(self.words(self.cleaned()), expected)
        self.assertEqual(self.record.read(2), changed[:1])
        lock.release()
        self.assertEqual(self.words(self.cleaned()), ["sysctl -w net/ipv6/conf/lo/accept_ra=1"])

    def test_anInterfaceThatWasRenamedSince(self) -> None:
        """
        Its switches are under its new name.
        """
        self.record.write([self.changed("eth0", "forwarding", "1", "0")], 2)
        (eth0,) = [link for link in self.kernel.links if link.index == 2]
        self.kernel.links[:] = [dataclasses.replace(eth0, name="wan")]
        del self.kernel.switches["eth0", "forwarding"]
        self.kernel.switches["wan", "forwarding"] = "1"
        expected = ["sysctl -w net/ipv6/conf/wan/forwarding=0"]
        self.assertEqual(self.words(self.cleaned()), expected)
        self.assertEqual(os.listdir(self.state), [])

    def test_aRecordOfAnInterfaceThatWentIsRemoved(self) -> None:
        """
        Its switches went with it; one that cannot be read stays.
        """
        self.record.write([self.changed("eth0", "accept_ra", "2", "1")], 99)
        other = Path(SwitchRecord(self.state, "eth7").path)
        other.write_text("{")
        self.assertEqual(self.words(self.cleaned()), [f"rm {self.record.path}"])
        self.assertEqual(self.kernel.log, [])
        self.assertEqual(os.listdir(self.state), [other.name])

    def test_whatTheKernelRefusesDoesNotKeepTheRest(self) -> None:
        """
        It is told, and not counted as removed; a switch stays written down.
        """
        changed = [self.changed("eth0", "forwarding", "1", "0")]
        self.record.write(changed, 2)
        self.kernel.ourRules = {Rule("eth0", ONE)}
        self.kernel.refusals.append(RoutingError("sysctl: no"))
        outcome = self.cleaned()
        self.assertEqual(list(map(str, outcome.refused)), ["sysctl: no"])
        self.assertEqual(len(outcome.removed), 1)
        self.assertEqual(self.kernel.ourRules, set())
        self.assertEqual(self.record.read(2), changed)

    def test_theLocksAreHeldMeanwhile(self) -> None:
        """
        Of what is cleaned, and released afterwards.
        """
        self.kernel.ourRules = {Rule("eth0", ONE), MARK}
        seen: list[set[str]] = []
        delete = self.kernel.deleteRule

        def deleteRule(rule: Rule) -> None:
            seen.append(set(MemoryLock.held))
            delete(rule)

        self.patch(self.kernel, "deleteRule", deleteRule)
        self.cleaned()
        self.assertEqual(seen, [{"eth0", markLock(64)}] * 2)
        self.assertEqual(MemoryLock.held, {})

    def test_aLockThatIsTakenEndsItBeforeAnythingIsChanged(self) -> None:
        """
        By a process that is ending, of which nothing can be seen any more.
        """
        self.kernel.ourRules = {Rule("eth0", ONE)}
        MemoryLock("eth0")
        self.patch(MemoryLock, "holder", lambda name: None)
        self.assertRaises(InterfaceError, self.cleaned)
        self.assertEqual(self.kernel.log, [])

    def test_whatIsLeftAloneIsSaid(self) -> None:
        """
        With who it is; of what has nothing to do with it nothing is said.
        """
        self.kernel.ourRules = {Rule("eth0", ONE)}
        for name in ("eth0", "lo", markLock(64)):
            MemoryLock(name)
        outcome = self.cleaned()
        self.assertEqual(sorted(outcome.left), ["eth0", "table 64"])
        self.assertEqual(sorted(self.cleaned(only="lo").left), ["lo", "table 64"])
        text = list(lines(Question(NUMBERS, None, self.state, False), outcome))
        self.assertEqual(text[0], "# nothing to remove")
        self.assertIn("# left alone: eth0 is served", text[1])
        self.assertIn("# left alone: table 64 is where firewall marks lead", text[2])

    def test_jsonSaysAllOfIt(self) -> None:
        """
        In words that need no shell.
        """
        self.kernel.ourRules = {Rule("eth0", ONE), Rule("eth0", ONE, table=70, priority=71)}
        MemoryLock("lo")
        question = Question(NUMBERS, "lo", self.state, True)
        document = asJson(question, self.cleaned(rehearsed=True, only="lo"))
        self.assertEqual(document["removed"], [])
        self.assertEqual(document["left"], [{"what": "lo", "holder": MemoryLock.holder("lo")}])
        self.assertEqual(document["others"], [{"table": 70, "priority": 71}])
        self.assertTrue(document["dryRun"])


class AdviceTests(SynchronousTestCase):
    """
    What a start says of leftovers is what removes them.
    """

    def advice(self, kernel: MemoryKernel, steering: Steering) -> str:
        facts = HostFacts(tuple(kernel.ruleFacts()), tuple(kernel.routeFacts()))
        return str(objection(Intent(Ownership((TWO,)), "eth0", False, steering), facts))

    def test_everyRuleLeadsToTheNumbersOfItsInstance(self) -> None:
        """
        Also the last one of ports, whose priority is higher, and one for a hole, which leads to the
        main table.
        """
        numbers = Numbers(70, 64)
        ports = Steering(Way.PORTS, (Service(6, 80),), numbers)
        kernel = MemoryKernel()
        ownership = Ownership((ONE,), (parsePrefix("2001:db8::e:0/112"),))
        wanted = plan(ownership, "eth1", False, ports)
        kernel.ourRules, kernel.ourRoutes = set(wanted.rules), set(wanted.routes)
        for priority in (64, 65):
            told = self.advice(kernel, Steering(numbers=Numbers(64, priority)))
            self.assertIn("prefix64 cleanup --table 70 --priority 64 removes that", told)
        found = leftovers(kernel.rules(), kernel.routes(), (), numbers, Running())
        self.assertEqual({*found.rules, *found.routes}, {*wanted.rules, *wanted.routes})

    def test_aRuleThatIsNoneOfOursIsSomebodyElses(self) -> None:
        """
        Though it has our protocol: no cleanup would remove it.
        """
        kernel = MemoryKernel()
        kernel.othersRules.append(RuleFact(64, ONE, 70, "eth0", True, protocol=PROTOCOL))
        self.assertIn("in use by somebody else's rule", self.advice(kernel, Steering()))


class CleanupMistakeTests(SynchronousTestCase):
    """
    What is typed wrong.
    """

    def test_aMistakeIsOneLine(self) -> None:
        """
        It names the value.
        """
        for words, what in (
            (("--table", "254"), "--table 254: 253 to 255 are the kernel's own"),
            (("--priority", "many"), "--priority 'many': give 1 to 32,764"),
            (("--iface", ""), "--iface '': name an interface"),
            (("--state", "/missing"), "--state '/missing' cannot be read"),
            (("--state", ""), "--state '': name a path"),
        ):
            status, out, errors = runMain("cleanup", *words)
            self.assertEqual((status, out), (1, ""), words)
            self.assertRegex(errors, r"^prefix64: .*\n$")
            self.assertIn(what, errors)
        self.assertEqual(runMain("cleanup", "eth0")[0], 2)

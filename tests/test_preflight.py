"""
What would go wrong is found before anything is changed, in exact words; and nothing else is.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.ownership import Ownership
from prefix64.routing.entries import PROTOCOL, Numbers, Rule, Service, Steering, Way
from prefix64.routing.facts import RTN_LOCAL, RouteFact, RuleFact
from prefix64.routing.plan import plan
from prefix64.routing.preflight import HostFacts, Intent, objection
from prefix64.routing.restraint import AGAIN, Restraint
from prefix64.testing import MemoryKernel
from tests.routing_cases import ONE, TWO, Instance, instances

examples = settings(max_examples=200, deadline=None, derandomize=True)

KERNELS = tuple(MemoryKernel().othersRules)
PEER = parseAddress("2001:db8::5")
PORTS = Steering(Way.PORTS, (Service(6, 80, 80),))


def fact(rule: Rule) -> RuleFact:
    """
    One of our rules, as it is read.
    """
    return RuleFact(
        rule.priority,
        rule.destination,
        rule.table,
        rule.interface,
        conditional=rule.service is not None,
        protocol=PROTOCOL,
        ours=rule,
    )


def facts(*instances: Instance, **more: object) -> HostFacts:
    """
    A host where these have been started.
    """
    rules = sorted(
        (fact(rule) for one in instances for rule in one.plan.rules), key=lambda one: one.priority
    )
    return HostFacts((*KERNELS, *rules), **more)  # type: ignore[arg-type]


def instance(
    interface: str = "eth0", steering: Steering | None = None, local: bool = False
) -> Instance:
    prefix = ONE if interface == "eth0" else TWO
    return Instance(interface, Ownership((prefix,)), local, steering or Steering())


def intent(one: Instance) -> Intent:
    return Intent(one.ownership, one.interface, one.local, one.steering)


class Case(SynchronousTestCase):
    """
    What says what is wrong.
    """

    def assertObjects(self, wanted: Intent, found: HostFacts, text: str) -> None:
        """
        In exactly these words, in one line.
        """
        self.assertEqual(str(objection(wanted, found)), text)
        self.assertNotIn("\n", text)

    def assertFine(self, wanted: Intent, found: HostFacts) -> None:
        self.assertIsNone(objection(wanted, found))


class UsedTests(Case):
    """
    The table or the priority.
    """

    def test_aRouteOfSomebodyElseInTheTable(self) -> None:
        """
        With the command that removes it; a route elsewhere, or one of ours, is no matter.
        """
        mine = RouteFact(64, ONE, RTN_LOCAL, protocol=PROTOCOL)
        elsewhere = RouteFact(254, ONE, protocol=3)
        self.assertFine(intent(instance()), facts(routes=(mine, elsewhere)))
        theirs = RouteFact(64, TWO, RTN_LOCAL, ("lo",), protocol=3)
        self.assertObjects(
            intent(instance()),
            facts(routes=(mine, theirs)),
            "table 64 is in use by somebody else: it has a route that is not ours (local "
            "2001:db8:2::/64 dev lo): choose another table with --table, or remove it: "
            "ip -6 route del 2001:db8:2::/64 table 64",
        )

    def test_aRuleOfSomebodyElse(self) -> None:
        """
        At the priority, and with ports at the next one; with our protocol number, too.
        """
        for protocol in (0, 3, PROTOCOL):
            theirs = RuleFact(65, ONE, 9, "eth5", protocol=protocol)
            found = HostFacts((*KERNELS, theirs))
            text = (
                "priority 65 is in use by somebody else's rule (priority 65 to 2001:db8::/64 iif "
                "eth5, table 9): choose another priority with --priority"
            )
            self.assertFine(intent(instance()), found)
            self.assertObjects(intent(instance(steering=PORTS)), found, text)
            at65 = Steering(numbers=Numbers(priority=65))
            self.assertObjects(intent(instance(steering=at65)), found, text)

    def test_whatCrashedHereWithTheNumbersOfAnotherInterface(self) -> None:
        """
        Of this process: nobody would take it over.
        """
        left, wanted = instance("eth1"), instance("eth1", Steering(numbers=Numbers(table=65)))
        self.assertObjects(
            intent(wanted),
            facts(left, siblings=(Numbers(),)),
            "priority 64 is in use by a prefix64 that crashed (priority 64 to 2001:db8:2::/64 iif "
            "eth1, table 64): prefix64 cleanup --table 64 --priority 64 removes that",
        )
        self.assertFine(intent(wanted), facts(instance("eth0"), siblings=(Numbers(),)))

    def test_whatCrashedWithOtherNumbers(self) -> None:
        """
        The command that removes it names the numbers of that run, of whichever rule it is known by.
        """
        remedy = "prefix64 cleanup --table 65 --priority 64 removes that"
        for way in (Way.INPUT, Way.FWMARK, Way.PORTS):
            left = instance(steering=Steering(way, PORTS.services, Numbers(table=65)))
            text = str(objection(intent(instance()), facts(left)))
            self.assertIn("priority 64 is in use by a prefix64 that crashed (", text)
            self.assertIn(remedy, text)
        crashed = instance(steering=Steering(Way.PORTS, PORTS.services, Numbers(table=65)))
        behind = instance(steering=Steering(numbers=Numbers(priority=65)))
        self.assertObjects(
            intent(behind),
            facts(crashed),
            "priority 65 is in use by a prefix64 that crashed (priority 65 to 2001:db8::/64 iif "
            f"eth0, table 0): {remedy}",
        )

    def test_whatCrashedAndWasHalfRemoved(self) -> None:
        """
        Nothing says which table it had, and a rule that drops is found with any.
        """
        drop = Rule("eth0", ONE, table=0, priority=65)
        behind = instance(steering=Steering(numbers=Numbers(priority=65)))
        text = str(objection(intent(behind), HostFacts((*KERNELS, fact(drop)))))
        self.assertIn(": prefix64 cleanup --table 64 --priority 64 removes that", text)

    def test_withoutRulesInTheKernel(self) -> None:
        """
        Where nothing is to be routed, that is no matter.
        """
        self.assertObjects(
            intent(instance()),
            HostFacts(),
            "this kernel has no policy rules for IPv6 (CONFIG_IPV6_MULTIPLE_TABLES): run one that "
            "has them, or do the routing yourself (--routing none)",
        )
        self.assertFine(intent(instance(steering=Steering(Way.NONE))), HostFacts())

    def test_withoutIpv6OnLoopback(self) -> None:
        """
        The kernel would say that a privilege is missing.
        """
        self.assertObjects(
            intent(instance()),
            facts(loopbackIsOff=True),
            "IPv6 is off on lo, so that no route can make a prefix this host's own: "
            "sysctl -w net/ipv6/conf/lo/disable_ipv6=0",
        )
        none = instance(steering=Steering(Way.NONE))
        self.assertFine(intent(none), facts(loopbackIsOff=True))

    @examples
    @given(instances("eth0", ONE), st.data())
    def test_ourOwnLeftoversAreNoMatter(self, killed: Instance, data: st.DataObject) -> None:
        """
        Of whatever way, with the same numbers.
        """
        again = data.draw(instances("eth0", ONE, killed.steering.numbers))
        self.assertFine(intent(again), facts(killed))

    @examples
    @given(instances("eth0", ONE), instances("eth1", TWO) | instances("lo", TWO))
    def test_anotherInstanceThatRunsIsNoMatter(self, mine: Instance, other: Instance) -> None:
        """
        Of whatever way and numbers.
        """
        marked = other.steering.way is Way.FWMARK
        found = facts(
            other,
            running=frozenset({other.interface}),
            marked=frozenset({other.steering.numbers.table} if marked else ()),
        )
        self.assertFine(intent(mine), found)


class CutOffTests(Case):
    """
    Whom the host could no longer reach.
    """

    def test_anSshConnection(self) -> None:
        """
        Where this host reaches the prefix itself; what is excluded, or a known neighbor, is fine.
        """
        peers = frozenset({PEER, parseAddress("2001:db8:7::1")})
        self.assertFine(intent(instance()), facts(sshPeers=peers))
        self.assertObjects(
            intent(instance(local=True)),
            facts(sshPeers=peers),
            "--prefix 2001:db8::/64 would cut this host off from the ssh connection of "
            "2001:db8::5: add --exclude 2001:db8::5, or leave --local out",
        )
        on = Intent(Ownership((ONE,)), "lo", True)
        self.assertObjects(
            on,
            facts(sshPeers=peers),
            "--prefix 2001:db8::/64 would cut this host off from the ssh connection of "
            "2001:db8::5: add --exclude 2001:db8::5, or serve another prefix",
        )
        for spared in (
            Ownership((ONE,), excluded=(parsePrefix("2001:db8::/112"),)),
            Ownership((ONE,), neighbors=frozenset({PEER})),
        ):
            self.assertFine(Intent(spared, "eth0", True), facts(sshPeers=peers))

    def test_onlyWhatIsTakenCutsOff(self) -> None:
        """
        With ports, what goes to the peer's own port, which is no privileged one; with marks and
        with no routing nothing that this host sends.
        """
        found = facts(sshPeers=frozenset({PEER}))
        for service, isCut in (
            (Service(6, 80, 80), False),
            (Service(6, 1, 1023), False),
            (Service(17), False),
            (Service(6), True),
            (Service(6, 8000, 8100), True),
        ):
            ports = instance(steering=Steering(Way.PORTS, (service,)), local=True)
            self.assertEqual(objection(intent(ports), found) is not None, isCut, service)
        for way in (Way.FWMARK, Way.NONE):
            self.assertFine(intent(instance(steering=Steering(way), local=True)), found)

    def test_aDefaultGateway(self) -> None:
        """
        One that nobody knows as a gateway yet, of a route with several hops, too.
        """
        default = RouteFact(254, parsePrefix("::/0"), gateways=(1, PEER))
        self.assertObjects(
            intent(instance(local=True)),
            facts(routes=(default,)),
            "--prefix 2001:db8::/64 would cut this host off from the default gateway 2001:db8::5: "
            "add --exclude 2001:db8::5, or leave --local out",
        )

    def test_nothingForwards(self) -> None:
        """
        What is behind would not be reached.
        """
        for words in ("auto", "2001:db8:0:0:c::/80"):
            behind = Intent(Ownership((ONE,)), "eth0", False, behind=words)
            self.assertFine(behind, facts())
            self.assertObjects(
                behind,
                facts(forwards=False),
                f"--forward {words}: this host does not forward, so nothing would arrive: "
                "sysctl -w net.ipv6.conf.all.forwarding=1 (where router advertisements give the "
                "default route, net.ipv6.conf.eth0.accept_ra=2 before that)",
            )


class RestraintTests(SynchronousTestCase):
    """
    L{Restraint}.
    """

    def setUp(self) -> None:
        self.restraint = Restraint()
        self.rules = plan(Ownership((ONE, TWO)), "eth0", False).rules
        self.one, self.two = self.rules

    def test_onceAndThenNoMore(self) -> None:
        """
        Twice within a minute is a fight; said once.
        """
        judge = self.restraint.judge
        self.assertEqual(judge([self.one, self.two], 0.0), ([str(self.one), str(self.two)], []))
        self.assertEqual(judge([self.one], AGAIN - 1), ([], [str(self.one)]))
        self.assertEqual(judge([self.one], AGAIN), ([], []))
        self.assertEqual(judge([self.one], 10 * AGAIN), ([], []))
        self.assertEqual(judge([self.two], AGAIN), ([str(self.two)], []))

    def test_nowAndThenIsNoFight(self) -> None:
        """
        Once in a minute, for ever.
        """
        for moment in range(9):
            back, left = self.restraint.judge([self.one], moment * AGAIN)
            self.assertEqual((back, left), ([str(self.one)], []))

    def test_whoPutsItBackEndsTheFight(self) -> None:
        """
        It is looked after again then.
        """
        for moment in (0.0, 1.0):
            self.restraint.judge([self.one], moment)
        self.assertEqual(self.restraint.abandoned, {self.one})
        self.restraint.found([self.two])
        self.assertEqual(self.restraint.abandoned, {self.one})
        self.restraint.found([self.one])
        self.assertEqual(self.restraint.abandoned, set())

    def test_whatIsLongPastIsForgotten(self) -> None:
        """
        Nothing grows with time.
        """
        for number in range(1000):
            self.restraint.judge([number], number * AGAIN)
        self.assertEqual(len(self.restraint._putBack), 1)

"""
C{prefix64 plan} on fakes: the order of its commands is that of the services, and its mistakes.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.edges import Edges
from prefix64.hosts.directory import SitesDirectory
from prefix64.hosts.model import Host, StaticSite
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.planning.command import asJson, lines
from prefix64.planning.link_plan import LinkPlan, Planning
from prefix64.routing.commands import Entry, adding
from prefix64.routing.entries import (
    MAIN_TABLE,
    Numbers,
    Proxy,
    Route,
    Rule,
    Service,
    Steering,
    Sysctl,
    Way,
)
from prefix64.services.link import startLinks
from prefix64.services.prefix64 import Prefix64Service, makeStateDirectory
from prefix64.settings import LinkSettings, NdpMode, Settings
from prefix64.testing import (
    MemoryGroups,
    MemoryGuard,
    MemoryKernel,
    MemoryLink,
    MemoryLock,
    MemoryMonitor,
)
from tests.test_cli import runMain

ONE, TWO = parsePrefix("2001:db8::/64"), parsePrefix("2001:db8:1::/64")
PORTS = Steering(Way.PORTS, (Service(6, 80), Service(6, 443, 445)))


class RecordingKernel(MemoryKernel):
    """
    A kernel with two links that remembers what was added and set, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links.append(Link("eth1", 3, ETHERNET, b"\x02\0\0\0\0\x03", True))
        for name in ("accept_ra", "forwarding", "proxy_ndp"):
            self.switches["eth1", name] = self.switches["eth0", name]
        self.entries: list[Entry] = []

    def addRule(self, rule: Rule) -> None:
        super().addRule(rule)
        self.entries.append(rule)

    def addRoute(self, route: Route) -> None:
        super().addRoute(route)
        self.entries.append(route)

    def addProxy(self, proxy: Proxy) -> None:
        super().addProxy(proxy)
        self.entries.append(proxy)

    def setSwitch(self, sysctl: Sysctl) -> None:
        super().setSwitch(sysctl)
        self.entries.append(sysctl)


class PlanCase(SynchronousTestCase):
    """
    Two interfaces, in memory.
    """

    def setUp(self) -> None:
        self.patch(MemoryLock, "held", {})
        self.kernel = RecordingKernel()
        self.edges = Edges(
            lock=MemoryLock,
            holder=MemoryLock.holder,
            kernel=lambda: self.kernel,
            monitor=MemoryMonitor,
            guard=MemoryGuard,
            link=lambda name, program: MemoryLink(),
            groups=lambda name: MemoryGroups(),
            sshPeers=frozenset,
        )

    def settings(self, *links: dict[str, Any]) -> Settings:
        """
        Settings for eth0, eth1 and so on, each with a host of its own.
        """
        hosts = [Host(parsePrefix(f"2001:db8:{n}::77/128"), StaticSite("/")) for n in (0, 1)]
        return Settings(
            tuple(
                LinkSettings(interface=f"eth{n}", prefixes=((ONE, TWO)[n],), **link)
                for n, link in enumerate(links)
            ),
            http=(),
            sites=SitesDirectory(tuple(hosts)),
            stateDirectory=self.mktemp(),
        )

    def planned(self, settings: Settings) -> list[LinkPlan]:
        """
        The plans, which change nothing.
        """
        plans = Planning(settings, self.edges).plans()
        self.assertEqual((self.kernel.entries, self.kernel.log), ([], []))
        return plans


class OrderTests(PlanCase):
    """
    The services and the plan do the same in the same order.
    """

    def assertSameOrder(self, *links: dict[str, Any]) -> list[LinkPlan]:
        """
        Compare what the services do with what was planned before.
        """
        settings = self.settings(*links)
        plans = self.planned(settings)
        self.assertEqual([plan.objection for plan in plans], [None] * len(links))
        service = Prefix64Service(settings, MemoryReactorClock(), self.edges)
        makeStateDirectory(settings.stateDirectory)
        startLinks(service.links, self.edges)
        self.addCleanup(service.stopService)
        planned = [command.words for plan in plans for command in plan.commands]
        self.assertEqual(planned, [adding(entry).words for entry in self.kernel.entries])
        return plans

    def test_everyWay(self) -> None:
        """
        On one interface.
        """
        for way in (Steering(), PORTS, Steering(Way.FWMARK), Steering(Way.NONE)):
            self.setUp()
            self.assertSameOrder({"steering": way, "ndp": NdpMode.KERNEL})

    def test_severalInterfaces(self) -> None:
        """
        One after the other. What the first leaves switched is not put back by the second.
        """
        plans = self.assertSameOrder(
            {"ndp": NdpMode.KERNEL, "local": True}, {"ndp": NdpMode.KERNEL, "steering": PORTS}
        )
        second = [command.shellWords for command in plans[1].commands]
        self.assertIn("sysctl -w net/ipv6/conf/lo/accept_ra=2", second)
        self.assertNotIn("eth0/accept_ra", " ".join(second))

    def test_markAndInput(self) -> None:
        """
        In one table.
        """
        self.assertSameOrder({"steering": Steering(Way.FWMARK)}, {})

    def test_everyCommandHasAReason(self) -> None:
        """
        Nobody is to guess.
        """
        for plan in self.planned(self.settings({"ndp": NdpMode.KERNEL}, {"steering": PORTS})):
            self.assertTrue(plan.commands)
            self.assertTrue(all(one.reason for one in (*plan.commands, *(plan.guard or ()))))


class LeftTests(PlanCase):
    """
    What is there already.
    """

    def test_theWantedStateIsPrintedNotTheDifference(self) -> None:
        """
        Also what an earlier run left, or one that runs has.
        """
        settings = self.settings({})
        before = self.planned(settings)
        self.kernel.ourRules.add(Rule("eth0", ONE))
        self.kernel.ourRules.add(Rule("eth0", TWO))
        self.assertEqual(self.planned(settings), before)

    def test_whoServesItNow(self) -> None:
        """
        Is said in the line of the interface, and is no objection.
        """
        MemoryLock("eth0")
        (plan,) = self.planned(self.settings({}))
        self.assertIsNone(plan.objection)
        line = f"# 2001:db8::/64 on eth0; served now {MemoryLock.holder('eth0')}"
        self.assertIn(line, "\n".join(lines([plan])))

    def test_twoInterfacesLeadMarksToOneTable(self) -> None:
        """
        That the start would refuse, so it is an objection.
        """
        way = Steering(Way.FWMARK)
        first, second = self.planned(self.settings({"steering": way}, {"steering": way}))
        self.assertIsNone(first.objection)
        self.assertIn("table 64 is where firewall marks lead already", str(second.objection))
        other = Steering(Way.FWMARK, numbers=Numbers(65, 65, 65))
        plans = self.planned(self.settings({"steering": way}, {"steering": other}))
        self.assertEqual([plan.objection for plan in plans], [None, None])

    def test_jsonSaysAllOfIt(self) -> None:
        """
        In words that need no shell.
        """
        MemoryLock("eth1")
        document = json.loads(json.dumps(asJson(self.planned(self.settings({}, {})))))
        self.assertEqual([link["interface"] for link in document["links"]], ["eth0", "eth1"])
        self.assertIsNone(document["links"][0]["holder"])
        self.assertEqual(document["links"][1]["holder"], MemoryLock.holder("eth1"))
        first = document["links"][0]["commands"][0]
        self.assertEqual(first["command"][:7], ["ip", "-6", "rule", "add", "iif", "eth0", "to"])
        self.assertEqual(first["reason"], "what comes in for the prefix")
        self.assertNotIn(str(MAIN_TABLE), first["command"])


class PlanMistakeTests(SynchronousTestCase):
    """
    What is typed wrong.
    """

    def test_aMistakeIsOneLineAndNoPlan(self) -> None:
        """
        As twistd prefix64 says it, with status 2.
        """
        for words, what in (
            (("--loud",), "option --loud not recognized"),
            (("--iface", "prefix64-none"), "there is no such interface"),
            (("--prefix", "2001:db8::1/64"), "did you mean 2001:db8::/64?"),
            (("lo",), "'lo' is no option"),
            (("--routing", "ports"), "needs --ports"),
            (("--json=yes",), "option --json must not have an argument"),
        ):
            status, out, errors = runMain("plan", *words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertRegex(errors, r"^prefix64: .*\n$")
            self.assertIn(what, errors)

    def test_helpNamesTheOptionsOfTheServer(self) -> None:
        """
        And its own.
        """
        status, out, _ = runMain("plan", "--help")
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("Usage: prefix64 plan [options]"), out)
        for option in ("--json", "--prefix=", "--routing=", "--forward="):
            self.assertIn(option, out)
        status, out, _ = runMain("--help")
        self.assertIn("plan ", out)

    def test_onLoopbackWithoutOptions(self) -> None:
        """
        What twistd prefix64 does without options, with no privilege.
        """
        status, out, _ = runMain("plan")
        self.assertIn(status, (0, 1))  # something may be in the way on the host of the tests
        self.assertIn("\nip -6 rule add iif lo to 2001:db8::/64 lookup 64 priority 64 ", out)

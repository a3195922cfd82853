"""
The doctor's judgement of facts, and the command up to where it would need root. The faults
themselves are made in C{tests.kernel.test_doctor}.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import prefix64
from prefix64.addressing import parseAddress, parsePrefix
from prefix64.doctor import command
from prefix64.doctor.answerer_checks import checkOthersHere
from prefix64.doctor.facts import AddressFact, HostFacts, Instance, LinkFact, Process, Switches
from prefix64.doctor.findings import (
    Finding,
    exitStatus,
    ok,
    printable,
    problem,
    summary,
    unknown,
    warning,
)
from prefix64.doctor.firewall.facts import FirewallFacts
from prefix64.doctor.firewall.ruleset import Ruleset
from prefix64.doctor.firewall_checks import checkFirewall, checkListening
from prefix64.doctor.link_checks import (
    checkInstance,
    checkInterface,
    checkLink,
    checkMulticast,
    checkPrivileges,
)
from prefix64.doctor.observation import Observation
from prefix64.doctor.routing_checks import checkRoutes
from prefix64.doctor.rule_checks import checkRules
from prefix64.doctor.switch_checks import checkSwitches
from prefix64.doctor.traffic_checks import (
    checkOthersOnLink,
    checkSnooping,
    checkSolicitations,
)
from prefix64.kernel.messages import Link
from prefix64.ownership import Ownership
from prefix64.routing.entries import Route, RouteKind, Rule
from prefix64.routing.facts import RouteFact, RuleFact
from prefix64.routing.plan import plan
from prefix64.settings import LinkSettings
from tests.test_cli import runMain

PREFIX = parsePrefix("2001:db8::/64")
TARGET = parseAddress("2001:db8::cafe")
ROUTER_LAYER = bytes.fromhex("020000000001")
OURS = Rule("eth0", PREFIX)
PLAN = plan(Ownership((PREFIX,)), "eth0", False)
ALL_CAPABILITIES = (1 << 41) - 1
RUNNING = Instance("by process 7 (user 0)", ALL_CAPABILITIES)
DEFAULT = RouteFact(
    254, parsePrefix("::/0"), interfaces=("eth0",), gateways=(parseAddress("fe80::1"),)
)
LINK = LinkFact(
    Link("eth0", 2, 1, bytes.fromhex("020000000002"), True),
    receivesAllMulticast=True,
    addresses=(AddressFact(parseAddress("fe80::2")),),
)
SETTINGS = LinkSettings("eth0", (PREFIX,))
WELL = HostFacts(
    SETTINGS,
    LINK,
    instance=RUNNING,
    rules=(RuleFact(0, parsePrefix("::/0"), 255), RuleFact(64, PREFIX, 64, "eth0", ours=OURS)),
    routes=(DEFAULT,),
    plan=PLAN,
    ourRoutes=frozenset(PLAN.routes),
    ports=(80,),
    listening=frozenset({80}),
    capabilities=ALL_CAPABILITIES,
)
STOPPED = dataclasses.replace(
    WELL, instance=None, rules=WELL.rules[:1], ourRoutes=frozenset(), listening=frozenset()
)


def but(facts: Any, **changes: Any) -> Any:
    """
    The same facts with a difference.
    """
    return dataclasses.replace(facts, **changes)


def said(*findings: Finding) -> list[str]:
    """
    The findings in short: C{problem interface: there is ...}.
    """
    return [f"{f.judgement.value} {f.check}: {f.text}" for f in findings]


class FindingTests(SynchronousTestCase):
    """
    How findings are told.
    """

    def test_lines(self) -> None:
        """
        One for the finding, one for each advice.
        """
        self.assertEqual(
            list(problem("http", "nobody", "do this", "or that").lines()),
            [
                "problem  http          nobody",
                "                       -> do this",
                "                       -> or that",
            ],
        )

    def test_nothingReachesTheTerminalRaw(self) -> None:
        """
        Neither escape sequences nor ends of lines, nor what turns the direction of writing.
        """
        (line,) = ok("x", "a\x1b[31mb\nc\u202ed").lines()
        self.assertTrue(line.endswith("a\\x1b[31mb\\nc\\u202ed"), line)
        self.assertEqual(printable("é 'x'"), "é 'x'")

    def test_statusAndSummary(self) -> None:
        """
        Only a problem is a failure, and the first one is where to begin.
        """
        found = [ok("a", ""), warning("b", ""), unknown("c", "")]
        self.assertEqual(
            (exitStatus(found), summary(found)), (0, "1 ok, 1 warning, 0 problems, 1 unknown")
        )
        found += [problem("d", ""), problem("e", "")]
        self.assertEqual(exitStatus(found), 1)
        self.assertEqual(summary(found), "1 ok, 1 warning, 2 problems, 1 unknown; begin with: d")


class LinkTests(SynchronousTestCase):
    """
    The interface, privileges and instance.
    """

    def test_well(self) -> None:
        """
        Nothing to do.
        """
        checks = [checkInterface, checkLink, checkPrivileges]
        found = [check(WELL) for check in checks]
        found += [*checkInstance(WELL), *checkMulticast(WELL)]
        self.assertEqual({f.judgement.value for f in found}, {"ok"}, said(*found))

    def test_aPortIsNotServed(self) -> None:
        """
        Of whatever takes its packets.
        """
        for kind in ("bridge", "bond", "team"):
            link = but(LINK, link=but(LINK.link, portOf=kind), master="x0")
            finding = checkInterface(but(WELL, link=link))
            self.assertEqual(finding.advice, (f"serve the {kind} itself: --iface x0",))

    def test_withoutIpv6(self) -> None:
        """
        The sysctl is not there at all.
        """
        facts = but(WELL, switches=Switches(disabledHere=None))
        self.assertIn("has no IPv6", checkInterface(facts).text)

    def test_linkLocalAddresses(self) -> None:
        """
        None, one that is tentative, one that failed.
        """
        address = parseAddress("fe80::2")
        for addresses, word in (
            ((), "problem"),
            ((AddressFact(TARGET),), "problem"),
            ((AddressFact(address, tentative=True),), "warning"),
            ((AddressFact(address, tentative=True, failed=True),), "problem"),
            ((AddressFact(address, True), AddressFact(address + 1)), "ok"),
        ):
            finding = checkLink(but(WELL, link=but(LINK, addresses=addresses)))
            self.assertEqual(finding.judgement.value, word, finding)

    def test_withoutLinkLayerAddress(self) -> None:
        """
        All zero is none.
        """
        link = but(LINK, link=but(LINK.link, linkLayerAddress=bytes(6)))
        self.assertEqual(checkLink(but(WELL, link=link)).judgement.value, "problem")

    def test_privileges(self) -> None:
        """
        Those of the instance if there is one; what cannot be read is unknown.
        """
        few = 1 << 12
        for facts, expected in (
            (but(WELL, instance=but(RUNNING, capabilities=few)), "problem"),
            (but(WELL, instance=but(RUNNING, capabilities=None)), "unknown"),
            (but(WELL, capabilities=0), "ok"),
            (but(STOPPED, capabilities=few), "warning"),
            (but(STOPPED, capabilities=1 << 12 | 1 << 13), "warning"),
            (but(STOPPED, capabilities=1 << 12 | 1 << 13, lowestPort=80), "ok"),
            (but(STOPPED, capabilities=1 << 12 | 1 << 13, ports=(8080,)), "ok"),
        ):
            self.assertEqual(checkPrivileges(facts).judgement.value, expected)

    def test_allMulticast(self) -> None:
        """
        Needed while prefix64 runs on Ethernet.
        """
        for receives, running, expected in (
            (False, True, "problem"),
            (False, False, "ok"),
            (None, True, "unknown"),
        ):
            facts = but(WELL if running else STOPPED, link=but(LINK, receivesAllMulticast=receives))
            (finding,) = checkMulticast(facts)
            self.assertEqual(finding.judgement.value, expected)

    def test_tunnel(self) -> None:
        """
        No solicitations, so nothing of multicast, and no CAP_NET_RAW.
        """
        link = but(LINK, link=but(LINK.link, hardwareType=65534, linkLayerAddress=b""))
        facts = but(WELL, link=link, instance=but(RUNNING, capabilities=1 << 12))
        self.assertIn("not Ethernet", checkLink(facts).text)
        self.assertEqual(checkPrivileges(facts).judgement.value, "ok")
        self.assertEqual(list(checkMulticast(facts)), [])


class RoutingTests(SynchronousTestCase):
    """
    Rules and routes.
    """

    def test_well(self) -> None:
        """
        Nothing to do, running or not.
        """
        for facts in (WELL, STOPPED):
            found = [*checkRules(facts), *checkRoutes(facts), *checkSwitches(facts)]
            self.assertEqual({f.judgement.value for f in found}, {"ok"}, said(*found))

    def early(self, rule: RuleFact, *routes: RouteFact) -> list[str]:
        """
        What is said of a rule before ours.
        """
        facts = but(
            WELL, rules=(WELL.rules[0], rule, WELL.rules[1]), routes=(DEFAULT, *routes)
        )  # fmt: skip
        return [f.text for f in checkRules(facts) if f.judgement.value == "warning"]

    def test_rulesBeforeOurs(self) -> None:
        """
        Only those that lead packets for the prefix somewhere.
        """
        everything = parsePrefix("::/0")
        there = RouteFact(9, everything, interfaces=("wg0",))
        rule = RuleFact(10, everything, 9)
        self.assertEqual(len(self.early(rule, there)), 1)
        self.assertEqual(self.early(rule), [])
        self.assertEqual(self.early(rule, but(there, kind=9)), [])
        self.assertEqual(self.early(rule, but(there, destination=parsePrefix("2001:db9::/32"))), [])
        self.assertEqual(self.early(but(rule, suppressed=0), there), [])
        self.assertEqual(
            len(self.early(but(rule, suppressed=0), but(there, destination=PREFIX))), 1
        )
        self.assertEqual(self.early(but(rule, interface="eth1"), there), [])
        self.assertEqual(self.early(but(rule, destination=parsePrefix("2001:db9::/32")), there), [])
        self.assertIn(" may take ", self.early(but(rule, conditional=True), there)[0])
        for action in (6, 7, 8):
            self.assertEqual(len(self.early(but(rule, action=action))), 1)
        self.assertEqual(self.early(but(rule, action=3), there), [])

    def test_withoutOursTheSamePriorityComesFirst(self) -> None:
        """
        For a rule that is added comes behind those of its priority.
        """
        there = RouteFact(9, parsePrefix("::/0"), interfaces=("wg0",))
        for priority, times in ((64, 1), (65, 0)):
            rule = RuleFact(priority, parsePrefix("::/0"), 9)
            facts = but(STOPPED, rules=(rule,), routes=(DEFAULT, there))
            found = [f for f in checkRules(facts) if f.judgement.value == "warning"]
            self.assertEqual(len(found), times)

    def test_twice(self) -> None:
        """
        Our rule twice is no fault of the answers, but somebody's.
        """
        (finding,) = checkRules(but(WELL, rules=(*WELL.rules, WELL.rules[1])))
        self.assertIn("2 times", finding.text)

    def test_routesMissing(self) -> None:
        """
        The local route; many holes are not all named.
        """
        there = frozenset(r for r in PLAN.routes if r.kind is RouteKind.THROW)
        found = said(*checkRoutes(but(WELL, ourRoutes=there)))
        self.assertEqual(found, ["problem routes: missing: local 2001:db8::/64"])
        many = tuple(Route(RouteKind.THROW, parsePrefix(f"2001:db8::{n}"), "a gateway")
                     for n in range(1, 6))  # fmt: skip
        wanted = but(PLAN, routes=(*PLAN.routes, *many))
        (finding,) = checkRoutes(but(WELL, plan=wanted))
        self.assertTrue(finding.text.endswith("throw 2001:db8::3 and 2 more"), finding.text)

    def test_theLoopbackInterfaceNeedsNoDefaultRoute(self) -> None:
        """
        Nobody comes from outside.
        """
        for name, words in (("eth0", ["ok", "problem"]), ("lo", ["ok"])):
            settings = but(SETTINGS, interface=name)
            found = checkRoutes(but(STOPPED, settings=settings, routes=()))
            self.assertEqual([f.judgement.value for f in found], words)

    def test_neighborsNearTheirMost(self) -> None:
        """
        From nine tenths on.
        """
        for number, word in ((899, "ok"), (900, "warning")):
            facts = but(WELL, switches=Switches(neighbors=number, mostNeighbors=1000))
            self.assertEqual([f.judgement.value for f in checkSwitches(facts)], [word])

    def test_disabledEverywhere(self) -> None:
        """
        Interfaces that come later have none.
        """
        (finding,) = checkSwitches(but(WELL, switches=Switches(disabledEverywhere=1)))
        self.assertEqual(finding.judgement.value, "warning")


class TrafficTests(SynchronousTestCase):
    """
    What was heard.
    """

    def heard(self, **more: Any) -> Observation:
        """
        A solicitation from the router, and what else.
        """
        seen = Observation(
            seconds=10.0,
            solicitations=1,
            multicast=1,
            solicited=Counter({TARGET: 1}),
            example=(TARGET, parseAddress("fe80::1"), ROUTER_LAYER),
        )
        return dataclasses.replace(seen, **more)

    def test_answers(self) -> None:
        """
        All, some, none; with and without an instance.
        """
        one, two = Counter({TARGET: 1}), Counter({TARGET: 1, TARGET + 1: 1})
        for facts, seen, expected in (
            (WELL, self.heard(answered=one), "ok"),
            (WELL, self.heard(solicited=two, answered=one), "warning"),
            (WELL, self.heard(), "problem"),
            (STOPPED, self.heard(), "ok"),
            (WELL, Observation(), "unknown"),
            (WELL, Observation(arriving=3), "ok"),
        ):
            finding = checkSolicitations(facts, seen)
            self.assertEqual(finding.judgement.value, expected, finding)

    def test_snooping(self) -> None:
        """
        Known only by a querier, or by solicitations that arrive.
        """
        querier = (parseAddress("fe80::1"), ROUTER_LAYER)
        for seen, expected in (
            (Observation(querier=querier), "warning"),
            (self.heard(querier=querier), "ok"),
            (self.heard(), "ok"),
            (self.heard(multicast=0), "unknown"),
            (Observation(), "unknown"),
        ):
            self.assertEqual(checkSnooping(seen).judgement.value, expected)

    def test_others(self) -> None:
        """
        Others that use addresses are named; a second answer is somebody's here.
        """
        (finding,) = checkOthersOnLink(WELL, self.heard(usedByOthers={TARGET: ROUTER_LAYER}))
        self.assertIn("other machines use 2001:db8::cafe: left alone", finding.text)
        twice = self.heard(answered=Counter({TARGET: 2}))
        self.assertIn("more than once", "".join(said(*checkOthersOnLink(WELL, twice))))
        once = self.heard(answered=Counter({TARGET: 1}))
        self.assertEqual(len(list(checkOthersOnLink(WELL, once))), 1)
        self.assertIn("no prefix64 runs", said(*checkOthersOnLink(STOPPED, once))[0])

    def test_processesElsewhereAreDoubtful(self) -> None:
        """
        A process whose namespace may not be seen is named with that.
        """
        facts = but(WELL, processes=(Process(9, "ndppd", None),))
        (finding,) = checkOthersHere(facts)
        self.assertIn("perhaps in another network namespace", finding.text)


class FirewallTests(SynchronousTestCase):
    """
    The words for what the firewall does.
    """

    def advice(self, **chain: Any) -> tuple[str, ...]:
        """
        What is to be done about a chain whose policy drops.
        """
        base = {"family": "inet", "table": "t", "name": "c", "hook": "input", "policy": "drop"}
        ruleset = Ruleset([{"chain": {**base, **chain}}])
        return next(iter(checkFirewall(WELL, FirewallFacts(ruleset)))).advice

    def test_theOwnerOfTheRulesIsNamed(self) -> None:
        """
        Its own command lets packets in.
        """
        self.assertEqual(
            self.advice()[0],
            "nft insert rule inet t c ip6 daddr 2001:db8::/64 tcp dport 80 accept",
        )
        self.assertEqual(self.advice(table="firewalld")[0], "firewall-cmd --add-port=80/tcp")
        self.assertEqual(self.advice(name="ufw6-before-input")[0], "ufw allow 80/tcp")
        self.assertEqual(
            self.advice(family="ip6", table="ip6tables-legacy -t filter", name="INPUT"),
            (
                "ip6tables-legacy -t filter -I INPUT -p tcp --dport 80 -j ACCEPT",
                "see the rules: ip6tables-legacy -t filter -S INPUT",
            ),
        )

    def test_whatCannotBeReadIsUnknown(self) -> None:
        """
        Never ok.
        """
        (finding,) = checkFirewall(WELL, FirewallFacts(None, "nft is not installed", "apt-get"))
        self.assertEqual((finding.judgement.value, finding.advice), ("unknown", ("apt-get",)))
        (finding,) = checkListening(but(WELL, listening=None))
        self.assertEqual(finding.judgement.value, "unknown")

    def test_listening(self) -> None:
        """
        Somebody, while it runs; nobody, while it does not.
        """
        taken = frozenset({80})
        for facts, expected in (
            (WELL, "ok"),
            (but(WELL, listening=frozenset()), "problem"),
            (STOPPED, "ok"),
            (but(STOPPED, listening=taken), "warning"),
        ):
            self.assertEqual([f.judgement.value for f in checkListening(facts)], [expected])


class CommandTests(SynchronousTestCase):
    """
    C{prefix64 doctor} and its mistakes.
    """

    def test_badInputIsOneLine(self) -> None:
        """
        The same lines as the server's.
        """
        for arguments, error in (
            (("-i", "eth0"), "--iface eth0 needs --prefix: "),
            (("-p", "2001:db8::1/64"), "--prefix '2001:db8::1/64' has host bits set: did you mean"),
            (("-p", "2001:db8::/64", "--exclude", "::1"), "--exclude ::1 is in none of"),
            (("--http", "0"), "--http 0: a port is from 1 to 65535"),
            (("--http", "abc"), "--http 'abc' is no port"),
            (("--http", "tcp6:80"), "--http 'tcp6:80': name the port alone, or none"),
            (("--http", "none", "--http", "80"), "--http none contradicts"),
            (("--seconds=-1",), "--seconds '-1': give seconds from 0 to 3600"),
            (("--seconds", "nan"), "--seconds 'nan': give seconds from 0 to 3600"),
        ):
            status, out, errors = runMain("doctor", *arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertTrue(errors.startswith(f"prefix64: {error}"), errors)
            self.assertEqual(errors.count("\n"), 1)

    def test_namesAreQuotedInCommands(self) -> None:
        """
        A name that a shell would read otherwise is safe to paste.
        """
        named = but(WELL, settings=but(SETTINGS, interface="$(id)"))
        self.assertEqual(named.quoted, "'$(id)'")
        down = but(LINK, link=but(LINK.link, name="x;y", up=False))
        finding = checkInterface(but(WELL, settings=but(SETTINGS, interface="x;y"), link=down))
        self.assertIn("ip link set 'x;y' up", "\n".join(finding.lines()))

    def test_jsonIsOneDocument(self) -> None:
        """
        Here on the loopback interface, whatever runs there.
        """
        status, out, _ = runMain("doctor", "--json", "--seconds", "0", "--http", "none")
        document = json.loads(out)
        self.assertEqual((document["interface"], document["prefixes"]), ("lo", ["2001:db8::/64"]))
        self.assertEqual(document["status"], status)
        self.assertEqual(sum(document["count"].values()), len(document["findings"]))

    def test_anInterfaceThatIsNotThere(self) -> None:
        """
        Is a finding: the rest cannot be looked at.
        """
        status, out, _ = runMain("doctor", "-i", "no\x1bsuch", "-p", "2001:db8::/64")
        self.assertEqual(status, 1)
        self.assertTrue(
            out.startswith("problem  interface     there is no interface 'no\\x1bsuch'")
        )

    def test_nobodyReads(self) -> None:
        """
        As with C{| head -1}: no traceback.
        """
        reads, writes = os.pipe()
        os.close(reads)
        program = "import sys; from prefix64.cli import main; sys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", program, "doctor", "--seconds", "0"],
            stdout=writes,
            stderr=subprocess.PIPE,
            timeout=60,
            env=dict(os.environ, PYTHONPATH=str(Path(prefix64.__file__).parents[1])),
        )
        os.close(writes)
        self.assertEqual((done.returncode, done.stderr), (141, b""))

    def test_defaultIsOnePort(self) -> None:
        """
        80, as the server has it.
        """
        question = command.asked(optionsOf("doctor"))
        self.assertEqual((question.ports, question.settings.excluded), ((80,), ()))
        question = command.asked(optionsOf("doctor", "--http", "8080", "--http", "8081"))
        self.assertEqual(question.ports, (8080, 8081))


def optionsOf(*arguments: str) -> Any:
    """
    The options as they are parsed.
    """
    from prefix64.cli import parser

    return parser().parse_args(arguments)

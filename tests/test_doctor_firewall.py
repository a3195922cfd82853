"""
The evaluator of nf_tables rulesets, and of ip6tables of the old kind. What nft says of each ruleset
was captured; C{tests.kernel.test_doctor_firewall} compares the same rulesets with the kernel.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.doctor.firewall import ip6tables
from prefix64.doctor.firewall.ends import Passage
from prefix64.doctor.firewall.packet import Packet
from prefix64.doctor.firewall.reading import (
    dormantTables,
    ingressDevices,
    ruleTexts,
    tablesIn,
)
from prefix64.doctor.firewall.ruleset import Ruleset
from tests.rulesets import CASES, Fate, captured

CONNECTION = Packet("eth0", parsePrefix("2001:db8::/64"), port=80)
TOO_BIG = Packet("eth0", parsePrefix("2001:db8::/64"), icmpType=2, state="related")


def rulesetOf(name: str, *ignored: tuple[str, str]) -> Ruleset:
    """
    The ruleset of a case.
    """
    said = captured()[name]
    return Ruleset(
        said["json"],
        {*ignored, *dormantTables(said["text"])},
        dict(ingressDevices(said["text"])),
    )


def fateOf(passage: Passage) -> Fate:
    """
    What a passage says.
    """
    if not passage.places:
        return Fate.IN
    return Fate.DROPPED if passage.certain else Fate.UNSURE


class NftTests(SynchronousTestCase):
    """
    Rulesets as nft prints them.
    """

    def test_everyCase(self) -> None:
        """
        Each ruleset lets the connection in, or drops it, or it cannot be told.
        """
        self.assertEqual(set(captured()), {case.name for case in CASES})
        found = {case.name: fateOf(rulesetOf(case.name).passage(CONNECTION)) for case in CASES}
        self.assertEqual(found, {case.name: case.fate for case in CASES})

    def test_anInterfaceThatIsNotNamedMayBeOurs(self) -> None:
        """
        Some versions of nft do not tell of which interface an ingress chain is.
        """
        said = captured()["ingress of another interface"]["json"]
        self.assertEqual(fateOf(Ruleset(said).passage(CONNECTION)), Fate.UNSURE)

    def test_ofAnotherInterface(self) -> None:
        """
        Where eth0 is let in, eth1 is not.
        """
        packet = Packet("eth1", CONNECTION.destination, port=80)
        self.assertEqual(fateOf(rulesetOf("interface").passage(packet)), Fate.DROPPED)
        self.assertEqual(fateOf(rulesetOf("ingress").passage(packet)), Fate.IN)

    def test_theGuardDoesNotCount(self) -> None:
        """
        A table of that name is left out.
        """
        passage = rulesetOf("policy drop", ("inet", "t")).passage(CONNECTION)
        self.assertEqual(passage, Passage())

    def test_thePlaceIsNamed(self) -> None:
        """
        The policy has no handle, a rule has one.
        """
        (place,) = rulesetOf("policy drop").passage(CONNECTION).places
        self.assertEqual(
            (place.family, place.table, place.chain, place.handle, place.what),
            ("inet", "t", "input", None, "policy"),
        )
        (place,) = rulesetOf("reject").passage(CONNECTION).places
        self.assertEqual((place.what, type(place.handle)), ("reject", int))

    def test_everyRuleHasItsText(self) -> None:
        """
        By its handle, as nft prints it.
        """
        for case in CASES:
            said = captured()[case.name]
            texts = dict(ruleTexts(said["text"]))
            rules = [entry["rule"] for entry in said["json"] if "rule" in entry]
            handles = {(rule["family"], rule["table"], rule["handle"]) for rule in rules}
            self.assertEqual(set(texts), handles, case.name)
        self.assertEqual(list(texts.values()), ["tcp dport 80 redirect to :8080"])

    def test_everyTableIsNamed(self) -> None:
        """
        By family and name, as nft prints them.
        """
        for case in CASES:
            said = captured()[case.name]
            tables = [entry["table"] for entry in said["json"] if "table" in entry]
            names = [(table["family"], table["name"]) for table in tables]
            self.assertEqual(tablesIn(said["text"]), names, case.name)

    def test_packetTooBigIsRelated(self) -> None:
        """
        It comes in with its connection, by its type, and not by a port.
        """
        fates = {
            name: fateOf(rulesetOf(name).passage(TOO_BIG))
            for name in ("established only", "port", "icmp only", "state map", "not a SYN")
        }
        self.assertEqual(
            fates,
            {
                "established only": Fate.IN,
                "port": Fate.DROPPED,
                "icmp only": Fate.DROPPED,
                "state map": Fate.IN,
                "not a SYN": Fate.IN,
            },
        )

    def rule(self, *expressions: Any) -> list[dict[str, Any]]:
        """
        A ruleset of one rule in front of an accepting policy.
        """
        chain = {"family": "inet", "table": "t", "name": "c", "hook": "input", "policy": "accept"}
        rule = {"family": "inet", "table": "t", "chain": "c", "handle": 7}
        return [{"chain": chain}, {"rule": {**rule, "expr": list(expressions)}}]

    def test_icmpTypes(self) -> None:
        """
        By name, by number, in a range of names.
        """
        left = {"payload": {"protocol": "icmpv6", "field": "type"}}
        named = {"range": ["destination-unreachable", "parameter-problem"]}
        for right, dropped in (
            ("packet-too-big", True),
            (2, True),
            (named, True),
            ({"set": ["echo-request", named]}, True),
            ("echo-request", False),
            ({"range": ["nd-router-solicit", "nd-redirect"]}, False),
        ):
            match = {"match": {"op": "==", "left": left, "right": right}}
            objects = self.rule(match, {"drop": None})
            fate = Fate.DROPPED if dropped else Fate.IN
            self.assertEqual(fateOf(Ruleset(objects).passage(TOO_BIG)), fate, right)
            self.assertEqual(fateOf(Ruleset(objects).passage(CONNECTION)), Fate.IN, right)

    def test_whatIsNotUnderstoodIsUnsure(self) -> None:
        """
        A statement or expression that nobody told us of is never taken for harmless.
        """
        for expressions in (
            [{"newfangled": {}}],
            [{"xt": {"type": "target", "name": "TARPIT"}}],
            [{"xt": {"type": "match", "name": "geoip"}}, {"drop": None}],
            [{"xt": None}, {"drop": None}],
            [{"match": {"op": "==", "left": {"osf": {}}, "right": "Linux"}}, {"drop": None}],
            [{"match": {"op": "==", "left": None, "right": 1}}, {"drop": None}],
            [{"match": {}}, {"drop": None}],
            [{"jump": {}}],
            [{"queue": {"num": 1}}],
            [{"mangle": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "value": 1}}],
        ):
            passage = Ruleset(self.rule(*expressions)).passage(CONNECTION)
            self.assertEqual(fateOf(passage), Fate.UNSURE, expressions)
            self.assertEqual(passage.places[0].handle, 7)

    def test_withoutTrackingThereIsNoState(self) -> None:
        """
        After C{notrack} a rule by state may or may not be true.
        """
        match = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}
        objects = self.rule({"notrack": None})
        more = {"family": "inet", "table": "t", "chain": "c", "handle": 8}
        objects.append({"rule": {**more, "expr": [match, {"drop": None}]}})
        self.assertEqual(fateOf(Ruleset(objects).passage(CONNECTION)), Fate.UNSURE)

    def test_aRingOfJumpsEnds(self) -> None:
        """
        The kernel has none, but a file may.
        """
        objects = self.rule({"jump": {"target": "c"}})
        self.assertEqual(fateOf(Ruleset(objects).passage(CONNECTION)), Fate.IN)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(0, 99) | st.sampled_from(["@x", "*", "tcp"]),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["match", "left", "right", "op", "set", "range", "prefix", "vmap", "key",
                     "data", "concat", "payload", "protocol", "field", "meta", "jump", "&"]
                ),
                inner, max_size=3,
            ),
            max_leaves=12,
        )
    )  # fmt: skip
    def test_anyExpressionIsJudged(self, expression: Any) -> None:
        """
        Whatever a later nft prints: no exception.
        """
        Ruleset(self.rule({"match": expression}, {"drop": None})).passage(CONNECTION)
        Ruleset(self.rule({"vmap": expression})).passage(CONNECTION)
        Ruleset(self.rule(expression)).passage(CONNECTION)


class Ip6tablesTests(SynchronousTestCase):
    """
    What C{ip6tables-legacy -S} prints.
    """

    def fate(self, *lines: str, table: str = "filter", packet: Packet = CONNECTION) -> Fate:
        """
        What becomes of a packet.
        """
        return fateOf(
            Ruleset(ip6tables.ruleset("ip6tables-nft", table, "\n".join(lines))).passage(packet)
        )

    def test_policies(self) -> None:
        """
        Of the chains on the way.
        """
        self.assertEqual(self.fate("-P INPUT ACCEPT", "-P FORWARD DROP"), Fate.IN)
        self.assertEqual(self.fate("-P INPUT DROP"), Fate.DROPPED)
        self.assertEqual(self.fate("-P PREROUTING DROP", table="raw"), Fate.DROPPED)

    def test_rules(self) -> None:
        """
        One rule before a policy that drops.
        """
        for rule, fate in (
            ("-i eth0 -p tcp -m tcp --dport 80 -j ACCEPT", Fate.IN),
            ("-i eth+ -p tcp -m multiport --dports 22,80:90 -j ACCEPT", Fate.IN),
            ("! -i lo -p tcp -j ACCEPT", Fate.IN),
            ("-i eth1 -j ACCEPT", Fate.DROPPED),
            ("-p tcp -m tcp --dport 443 -j ACCEPT", Fate.DROPPED),
            ("-p udp -m udp --dport 80 -j ACCEPT", Fate.DROPPED),
            ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", Fate.DROPPED),
            ("-m state --state NEW -j ACCEPT", Fate.IN),
            ("-d 2001:db8::/64 -j ACCEPT", Fate.IN),
            ("-d 2001:db8::1/128 -j ACCEPT", Fate.UNSURE),
            ("-s 2001:db8:bad::/48 -j ACCEPT", Fate.UNSURE),
            ("-m limit --limit 3/min -j ACCEPT", Fate.UNSURE),
            ("-m comment --comment \"let in\" -j ACCEPT", Fate.IN),
            ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", Fate.IN),
            ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", Fate.DROPPED),
            ("-p tcp -m tcp --tcp-flags ALL NONE -j ACCEPT", Fate.DROPPED),
            ("-m rt --rt-type 0 -j ACCEPT", Fate.DROPPED),
            ("-p tcp -j TARPIT", Fate.UNSURE),
            ("-j LOG --log-prefix x", Fate.DROPPED),
            ("-p ipv6-icmp -m icmp6 --icmpv6-type 2 -j ACCEPT", Fate.DROPPED),
            ("-j in", Fate.IN),
            ("-g in", Fate.IN),
        ):  # fmt: skip
            lines = ("-P INPUT DROP", "-N in", f"-A INPUT {rule}", "-A in -p tcp -j ACCEPT")
            self.assertEqual(self.fate(*lines), fate, rule)

    def test_packetTooBig(self) -> None:
        """
        By its number, with or without a code.
        """
        for kind in ("2", "2/0", "packet-too-big"):
            rule = f"-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT"
            self.assertEqual(self.fate("-P INPUT DROP", rule, packet=TOO_BIG), Fate.IN)

    def test_tablesThatNftOnlyNames(self) -> None:
        """
        Those of ip6tables with a condition that nft does not read; they are replaced whole.
        """
        chain = {"family": "ip6", "table": "filter", "name": "INPUT", "hook": "input"}
        rule = {"family": "ip6", "table": "filter", "chain": "INPUT", "handle": 4}
        plain = {"rule": {**rule, "expr": [{"accept": None}]}}
        opaque = {"rule": {**rule, "expr": [{"xt": {"type": "match", "name": "conntrack"}}]}}
        other = {"rule": {**rule, "table": "mine", "expr": [{"xt": None}]}}
        objects = [{"chain": chain}, plain, opaque, other]
        self.assertEqual(ip6tables.opaqueTables([{"chain": chain}, plain, other]), [])
        self.assertEqual(ip6tables.opaqueTables(objects), ["filter"])
        left = [entry for entry in objects if not ip6tables.isOf(entry, ["filter"])]
        self.assertEqual(left, [other])

    def test_theHandleIsTheLine(self) -> None:
        """
        For there is no other name for the rule.
        """
        line = "-A INPUT -p tcp -j DROP"
        passage = Ruleset(ip6tables.ruleset("x", "filter", f"-P INPUT ACCEPT\n{line}")).passage(
            CONNECTION
        )
        self.assertEqual([place.handle for place in passage.places], [line])

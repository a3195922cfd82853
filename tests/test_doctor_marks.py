"""
The firewall marks that rules leave a packet with. C{tests.kernel.test_doctor_ways} compares what is
said of nft's own rules with the kernel.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.doctor.firewall import ip6tables
from prefix64.doctor.firewall.packet import Packet
from prefix64.doctor.firewall.ruleset import Ruleset


class MarkTests(SynchronousTestCase):
    """
    The marks that a firewall sets.
    """

    packet = Packet("eth0", parsePrefix("2001:db8::/64"), port=80)

    def marks(self, *lines: str) -> set[int | None]:
        """
        The marks that rules of ip6tables leave the packet with.
        """
        rules = ["-P PREROUTING ACCEPT", "-N OTHER", *lines]
        objects = ip6tables.ruleset("ip6tables-legacy", "mangle", "\n".join(rules))
        return set(Ruleset(objects).marks(self.packet))

    def test_ip6tables(self) -> None:
        """
        Its own words for a mark.
        """
        mark = "-j MARK --set-xmark"
        self.assertEqual(self.marks(), {0})
        self.assertEqual(self.marks(f"-A PREROUTING -i eth0 {mark} 0x40/0xffffffff"), {64})
        self.assertEqual(self.marks(f"-A PREROUTING -i eth1 {mark} 0x40/0xffffffff"), {0})
        self.assertEqual(self.marks(f"-A PREROUTING {mark} 0x40/0xff"), {None})
        self.assertEqual(self.marks(f"-A PREROUTING {mark} many"), {None})
        self.assertEqual(self.marks("-A PREROUTING -j CONNMARK --restore-mark"), {None})
        self.assertEqual(self.marks("-A PREROUTING -j CONNMARK --save-mark"), {0})
        self.assertEqual(self.marks("-A PREROUTING -m geoip -j OTHER",
                                    f"-A OTHER {mark} 0x40/0xffffffff"), {0, 64})  # fmt: skip
        self.assertEqual(self.marks("-A PREROUTING -j SOMETHING"), {0, None})

    def test_whatCannotBeReadIsUnknown(self) -> None:
        """
        A rule that is no rule; a chain that leads to itself; a hook behind routing.
        """
        base = {"family": "inet", "table": "t", "name": "c", "hook": "prerouting", "prio": -150}
        rule = {"family": "inet", "table": "t", "chain": "c", "handle": 7}
        mark = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 64}}
        for hook, expression, expected in (
            ("prerouting", {"jump": {}}, {0, None}),
            ("prerouting", {"newfangled": {}}, {0, None}),
            ("prerouting", {"jump": {"target": "c"}}, {0}),
            ("prerouting", mark, {64}),
            ("input", mark, {0}),
            ("forward", mark, {0}),
        ):
            objects = [{"chain": {**base, "hook": hook}}, {"rule": {**rule, "expr": [expression]}}]
            self.assertEqual(set(Ruleset(objects).marks(self.packet)), expected, expression)

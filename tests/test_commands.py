"""
What is wanted in the kernel, as commands for a shell.
"""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.routing.commands import Command, adding, canBeGuarded, deleting, guarding, quoted
from prefix64.routing.entries import (
    EVERYWHERE,
    MAIN_TABLE,
    GuardKind,
    GuardTable,
    Proxy,
    Route,
    RouteKind,
    Rule,
    Service,
    Sysctl,
)

PREFIX = parsePrefix("2001:db8::/64")
words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=15)


class CommandTests(SynchronousTestCase):
    """
    L{adding} and L{deleting}.
    """

    def assertCommand(self, command: Command, text: str) -> None:
        self.assertEqual(str(command), text)

    def test_aRoute(self) -> None:
        """
        Each kind has its word, and the reason stands behind the command.
        """
        hole = Route(RouteKind.THROW, parsePrefix("2001:db8::1/128"), "a gateway", 1000)
        self.assertCommand(
            adding(hole), "ip -6 route add throw 2001:db8::1 table 1000 protocol 64  # a gateway"
        )
        self.assertCommand(
            deleting(Route(RouteKind.LOCAL, PREFIX)),
            "ip -6 route del local 2001:db8::/64 dev lo table 64 protocol 64",
        )

    def test_aRule(self) -> None:
        """
        With all that tells it from another.
        """
        self.assertCommand(
            adding(Rule("eth0.5", PREFIX, table=7, priority=9, reason="why")),
            "ip -6 rule add iif eth0.5 to 2001:db8::/64 lookup 7 priority 9 protocol 64  # why",
        )
        self.assertCommand(
            deleting(Rule("eth0", PREFIX, table=0, priority=65)),
            "ip -6 rule del iif eth0 to 2001:db8::/64 blackhole priority 65 protocol 64",
        )
        self.assertCommand(
            adding(Rule("", EVERYWHERE, None, 7)),
            "ip -6 rule add fwmark 7 lookup 64 priority 64 protocol 64",
        )
        self.assertCommand(
            adding(Rule("eth0", parsePrefix("2001:db8::e:0/112"), None, 0, MAIN_TABLE)),
            "ip -6 rule add iif eth0 to 2001:db8::e:0/112 lookup main priority 64 protocol 64",
        )

    def test_aServiceIsANumberAndItsNameIsInTheReason(self) -> None:
        """
        A host without /etc/protocols knows no names. An interface may be called C{ipproto}.
        """
        rule = Rule("tcp", PREFIX, Service(6, 80, 81), reason="a port of ours")
        self.assertCommand(
            adding(rule),
            "ip -6 rule add iif tcp to 2001:db8::/64 ipproto 6 dport 80-81 lookup 64 "
            "priority 64 protocol 64  # a port of ours (tcp:80-81)",
        )
        self.assertIn(
            "iif ipproto to 2001:db8::/64 ipproto 58 lookup",
            str(adding(Rule("ipproto", PREFIX, Service(58)))),
        )

    def test_aProxyAndASwitch(self) -> None:
        """
        A switch is written with slashes: names of interfaces have dots.
        """
        proxy = Proxy("eth0", parseAddress("2001:db8::7"))
        self.assertCommand(adding(proxy), "ip -6 neigh add proxy 2001:db8::7 dev eth0 protocol 64")
        switch = Sysctl("eth0.5", "forwarding", "1")
        self.assertCommand(adding(switch), "sysctl -w net/ipv6/conf/eth0.5/forwarding=1")
        self.assertEqual(adding(switch), deleting(switch))

    def test_namesAreQuoted(self) -> None:
        """
        The kernel takes nearly every letter in a name.
        """
        self.assertCommand(
            adding(Rule("a;b'$(c)", PREFIX)),
            "ip -6 rule add iif 'a;b'\\''$(c)' to 2001:db8::/64 lookup 64 priority 64 protocol 64",
        )
        self.assertEqual(adding(Rule("a\u2003b\x1c", PREFIX)).words[5], "a\u2003b\x1c")


class QuotingTests(SynchronousTestCase):
    """
    L{quoted}.
    """

    def test_plainWordsStayAsTheyAre(self) -> None:
        """
        What users write all day is not quoted.
        """
        for word in ("eth0", "2001:db8::/64", "eth0.5", "net/ipv6/conf/br-lan/forwarding=1"):
            self.assertEqual(quoted(word), word)

    def test_nothingIsPrintedThatIsNotPrintable(self) -> None:
        """
        A name cannot take hold of the terminal.
        """
        for word in ("\x1b[2J", "caf\u00e9", "\u202e", "\udcff", ""):
            found = quoted(word)
            self.assertTrue(found.isascii() and found.isprintable() and found, word)

    @given(st.lists(words, min_size=1, max_size=4))
    def test_theShellGivesBackEveryWord(self, given: list[str]) -> None:
        """
        But for ends of lines at the end of a word, which no name of an interface has.
        """
        given = [word.rstrip("\n") for word in given]
        script = f"printf '%s\\0' {Command(tuple(given), 'a reason')}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
        self.assertEqual(done.stdout.decode().split("\0")[:-1], given)


class GuardingTests(SynchronousTestCase):
    """
    L{guarding}.
    """

    def guarded(
        self, interface: str = "eth0", *others: str, kind: GuardKind = GuardKind.NONE
    ) -> list[str]:
        blocks = tuple(map(parsePrefix, others))
        table = GuardTable(kind, interface, (PREFIX, parsePrefix("2001:db8:1::/64")), blocks)
        return list(map(str, guarding(table)))

    def test_aRuleForEachPrefixBehindAllElse(self) -> None:
        """
        There is no moment in which what is not ours is dropped.
        """
        found = self.guarded("eth0", "2001:db8::1/128")
        self.assertEqual(
            [line.split()[2] for line in found],
            ["table", "set", "element", "chain", "rule", "rule"],
        )
        self.assertIn("'{ 2001:db8::1 }'", found[2])
        self.assertIn("ip6 daddr 2001:db8:1::/64 icmpv6 type echo-request", found[-1])

    def test_rangesThatTouchAreOne(self) -> None:
        """
        As in the guard itself: nft(8) would keep them apart.
        """
        found = self.guarded("eth0", "2001:db8::2/127", "2001:db8::4/128", "2001:db8::8/125")
        self.assertIn("'{ 2001:db8::2-2001:db8::4, 2001:db8::8/125 }'", found[2])

    def test_thereMayBeNoOthersAndThereMayBeMany(self) -> None:
        """
        No line becomes longer than a command may be.
        """
        self.assertNotIn("element", " ".join(self.guarded()))
        many = [f"2001:db8::{number * 2:x}/128" for number in range(3000)]
        found = [line for line in self.guarded("eth0", *many) if " element " in line]
        self.assertEqual(sum(line.count("2001:db8::") for line in found), 3000)
        self.assertTrue(all(len(line) < 8000 for line in found))

    def test_nftHasFewerLettersForNames(self) -> None:
        """
        A table has another name then, and a star at the end would stand for any letters.
        """
        found = self.guarded("e't*", kind=GuardKind.PROTOCOL)
        self.assertTrue(found[0].startswith("nft add table ip6 prefix64-e_t_"), found[0])
        self.assertIn("iifname \"e'\\''t\\*\" ip6 daddr", found[-1])
        self.assertIn('iifname "e*t" ip6 daddr', self.guarded("e*t")[-1])
        self.assertFalse(canBeGuarded('e"t'))

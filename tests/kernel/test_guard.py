"""
The echo guard in a real nf_tables.
"""

from __future__ import annotations

import re
from typing import Any

from prefix64.addressing import Prefix, parsePrefix
from prefix64.errors import GuardError
from prefix64.kernel import nftables as nft
from prefix64.kernel.guard import Guard
from prefix64.routing.entries import GuardKind
from tests.kernel.lab import KernelTestCase, pingFrom, suiteOf
from tests.kernel.twistd import runWithout

UNPRIVILEGED = """
from prefix64.errors import PrivilegeError
from prefix64.routing.entries import GuardKind
from prefix64.kernel.guard import Guard
try:
    Guard(GuardKind.NONE).install("eth0", [], [])
except PrivilegeError as error:
    print(error)
"""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def prefixes(*texts: str) -> list[Prefix]:
    """
    Read prefixes.
    """
    return [parsePrefix(text) for text in texts]


class GuardTests(KernelTestCase):
    """
    The table, seen by nft(8); on C{lo}, where ping shows what it does.
    """

    def setUp(self) -> None:
        """
        A host that owns 2001:db8::/64 on its loopback interface.
        """
        super().setUp()
        self.host = self.makeNamespace()
        self.host.ip("-6 route add local 2001:db8::/64 dev lo")

    def install(
        self,
        served: list[Prefix],
        others: list[Prefix],
        kind: GuardKind = GuardKind.PROTOCOL,
        interface: str = "lo",
    ) -> Guard:
        """
        Install a guard.
        """
        guard = Guard(kind)
        self.addCleanup(guard.close)
        with self.host.entered():
            guard.install(interface, served, others)
        return guard

    def ruleset(self) -> str:
        """
        What nft says there is.
        """
        return self.host.run("nft", "list", "ruleset").stdout

    def elements(self, interface: str = "lo") -> list[str]:
        """
        The elements of the set, as nft has them.
        """
        text = self.host.run("nft", "list", "set", "ip6", f"prefix64-{interface}", "others").stdout
        found = re.search(r"elements = \{(.*?)\}", text, re.DOTALL)
        return [] if found is None else [part.strip() for part in found[1].split(",")]

    def answered(self, address: str, *options: str) -> bool:
        """
        Tell whether the kernel answers a ping.
        """
        return pingFrom(self.host, address, *options, wait=0.1).received == 1

    def test_table(self) -> None:
        """
        nft reads what was meant: an owned table, a set of intervals, a chain at prerouting before
        connection tracking, and a rule for each prefix.
        """
        self.install(prefixes("2001:db8::/64", "2001:db8:1::/48"), prefixes("2001:db8::b:1"))
        text = self.ruleset()
        for part in (
            "table ip6 prefix64-lo {",
            "flags owner",
            "type ipv6_addr",
            "flags interval",
            "type filter hook prerouting priority -450; policy accept;",
            'iifname "lo" ip6 daddr 2001:db8::/64 ip6 nexthdr ipv6-icmp',
            'iifname "lo" ip6 daddr 2001:db8:1::/48 ip6 nexthdr ipv6-icmp',
            "ip6 daddr != @others counter packets 0 bytes 0 drop",
        ):
            self.assertIn(part, text)
        self.assertEqual(self.elements(), ["2001:db8::b:1"])

    def test_dropsEchoToThePrefix(self) -> None:
        """
        The kernel no longer answers whole requests to the prefix, but for the others; it answers
        fragmented ones, and everything outside of the prefix, and again everything at the end.
        """
        guard = self.install(prefixes("2001:db8::/64"), prefixes("2001:db8::e:0/112"))
        self.assertFalse(self.answered("2001:db8::1"))
        self.assertFalse(self.answered("2001:db8::ffff:ffff:ffff:ffff", "-s", "1400"))
        self.assertTrue(self.answered("2001:db8::e:0"))
        self.assertTrue(self.answered("2001:db8::e:ffff"))
        self.assertFalse(self.answered("2001:db8::f:0"))
        self.assertFalse(self.answered("2001:db8::d:ffff"))
        self.host.ip("link set lo mtu 1500")
        self.assertTrue(self.answered("2001:db8::1", "-s", "4000"))
        self.assertTrue(self.answered("::1"))
        guard.close()
        self.assertTrue(self.answered("2001:db8::1"))
        self.assertEqual(self.ruleset(), "")

    def test_none(self) -> None:
        """
        The other kind drops fragmented requests, too.
        """
        self.install(prefixes("2001:db8::/64"), prefixes("2001:db8::b:1"), GuardKind.NONE)
        self.host.ip("link set lo mtu 1500")
        for size in ("56", "4000"):
            self.assertFalse(self.answered("2001:db8::1", "-s", size))
            self.assertTrue(self.answered("2001:db8::b:1", "-s", size))

    def test_lengths(self) -> None:
        """
        Prefixes of any length are compared to the bit.
        """
        self.install(prefixes("2001:db8::4000:0/99", "2001:db8:0:0:8000::/65"), [])
        for address, dropped in (
            ("2001:db8::3fff:ffff", False),
            ("2001:db8::4000:0", True),
            ("2001:db8::5fff:ffff", True),
            ("2001:db8::6000:0", False),
            ("2001:db8:0:0:7fff:ffff:ffff:ffff", False),
            ("2001:db8:0:0:8000::", True),
        ):
            self.assertEqual(self.answered(address), not dropped, address)

    def test_otherInterface(self) -> None:
        """
        What comes in on another interface is not met.
        """
        self.install(prefixes("2001:db8::/64"), [], interface="eth0")
        self.assertTrue(self.answered("2001:db8::1"))

    def test_update(self) -> None:
        """
        The set is replaced, at once: also by nothing, and by many.
        """
        guard = self.install(prefixes("2001:db8::/64"), prefixes("2001:db8::b:1"))
        guard.update(prefixes("2001:db8::b:2", "2001:db8::e:0/112"))
        self.assertEqual(self.elements(), ["2001:db8::b:2", "2001:db8::e:0/112"])
        guard.update([])
        self.assertEqual(self.elements(), [])
        self.assertFalse(self.answered("2001:db8::b:2"))
        many = [Prefix((0x20010DB8 << 96) + 2 * number, 128) for number in range(3000)]
        guard.update(many)
        self.assertEqual(len(self.elements()), 3000)
        self.assertTrue(self.answered("2001:db8::2"))
        self.assertFalse(self.answered("2001:db8::3"))
        guard.update(prefixes("2001:db8::b:1"))
        self.assertEqual(self.elements(), ["2001:db8::b:1"])

    def test_serve(self) -> None:
        """
        Other prefixes are kept from the kernel at once, by the same table; what is refused changes
        nothing.
        """
        guard = self.install(prefixes("2001:db8::/64"), prefixes("2001:db8::b:1"))
        self.host.ip("-6 route add local 2001:db8:1::/64 dev lo")
        self.assertTrue(self.answered("2001:db8:1::1"))
        both = prefixes("2001:db8::/64", "2001:db8:1::/64")
        guard.serve(both, prefixes("2001:db8:1::b:1"))
        for address, answered in (
            ("2001:db8::1", False),
            ("2001:db8:1::1", False),
            ("2001:db8::b:1", False),
            ("2001:db8:1::b:1", True),
        ):
            self.assertIs(self.answered(address), answered, address)
        text = self.ruleset()
        self.assertEqual(text.count(" drop"), 2)
        with self.host.entered():
            other = Guard(GuardKind.PROTOCOL)
            other._table, other._socket = guard._table, nft.NftablesSocket()
        self.addCleanup(other.close)
        self.assertRaises(GuardError, other.serve, prefixes("2001:db8::/64"), [])
        self.assertEqual(self.ruleset(), text)
        guard.serve(both[1:], [])
        self.assertTrue(self.answered("2001:db8::1"))
        self.assertFalse(self.answered("2001:db8:1::b:1"))
        guard.close()
        guard.serve(both, [])
        self.assertEqual(self.ruleset(), "")

    def test_installManyAndNeighbors(self) -> None:
        """
        It begins with many, overlapping and adjacent ones among them.
        """
        many = [Prefix((0x20010DB8 << 96) + 2 * number, 128) for number in range(1000)]
        self.install(
            prefixes("2001:db8::/64"),
            [*many, *prefixes("2001:db8::/127", "2001:db8::3", "2001:db8::ffff:ffff:ffff:ffff")],
        )
        self.assertEqual(self.elements()[0], "2001:db8::-2001:db8::4")
        self.assertEqual(self.elements()[-1], "2001:db8::ffff:ffff:ffff:ffff")
        self.assertEqual(len(self.elements()), 999)

    def test_thereIsOneAlready(self) -> None:
        """
        A table of that name is an error that says how to remove it; nothing of ours is left.
        """
        self.host.run("nft", "add table ip6 prefix64-lo")
        before = self.ruleset()
        error = self.assertRaises(GuardError, self.install, prefixes("2001:db8::/64"), [])
        self.assertIn("nft delete table ip6 prefix64-lo removes it", str(error))
        self.assertEqual(self.ruleset(), before)
        self.host.run("nft", "delete table ip6 prefix64-lo")
        self.install(prefixes("2001:db8::/64"), [])

    def test_closeTwice(self) -> None:
        """
        It may be closed again; an update then does nothing.
        """
        guard = self.install(prefixes("2001:db8::/64"), [])
        guard.close()
        guard.close()
        guard.update(prefixes("2001:db8::1"))
        self.assertEqual(self.ruleset(), "")

    def test_nobodyElseChangesIt(self) -> None:
        """
        The table is owned: another program can neither flush nor delete it.
        """
        self.install(prefixes("2001:db8::/64"), [])
        self.host.run("nft", "delete table ip6 prefix64-lo", check=False)
        self.host.run("nft", "flush ruleset", check=False)
        self.assertFalse(self.answered("2001:db8::1"))

    def test_missingPrivilege(self) -> None:
        """
        Without CAP_NET_ADMIN, the error names it.
        """
        said = runWithout(self.host, "net_admin", UNPRIVILEGED)
        self.assertEqual(said, "nf_tables needs CAP_NET_ADMIN: run it as root (sudo)\n")

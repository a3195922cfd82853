"""
From the rules of ndppd to what prefix64 serves.
"""

from __future__ import annotations

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import ADDRESS_BITS, Prefix
from prefix64.ndppd.configuration import readConfiguration
from prefix64.ndppd.conversion import FORWARD, MOST_PREFIXES, OWN, Conversion, Served, convert
from prefix64.ndppd.model import AUTO, IFACE, STATIC, Proxy, Rule
from prefix64.ndppd.reading import readSettings
from prefix64.ndppd.writing import toml
from prefix64.options.values import excludedBlocks, servedPrefixes


def converted(text: str, static: str | None = None) -> Conversion:
    """
    Convert a text.
    """
    return convert(readConfiguration(readSettings(text.encode(), "file"), "file").proxies, static)


def rules(*texts: str, static: str | None = None) -> Served:
    """
    Convert a proxy of eth0.

    @param texts: its rules, each as C{PREFIX METHOD}.
    """
    lines = (f"rule {text.partition(' ')[0]} {{ {text.partition(' ')[2]}\n}}" for text in texts)
    (served,) = converted(f"proxy eth0 {{\n{' '.join(lines)}\n}}", static).interfaces
    return served


def texts(prefixes: list[Prefix]) -> list[str]:
    """
    Prefixes as texts.
    """
    return [str(prefix) for prefix in prefixes]


class ConversionTests(SynchronousTestCase):
    """
    What becomes of which rule.
    """

    def assertMissed(self, text: str, *expected: str) -> None:
        """
        These are told as what prefix64 will not do, and nothing else is.
        """
        missed = [remark.text for remark in converted(text).remarks if remark.isMissed]
        self.assertEqual(missed, list(expected))

    def test_aStaticPrefixIsOurOwn(self) -> None:
        """
        One that is longer than /64 is taken for what lives behind this host; unless it is said.
        """
        for length, static, forwarded in (
            (48, None, False), (64, None, False), (65, None, True), (127, None, True),
            (64, FORWARD, True), (65, OWN, False),
        ):  # fmt: skip
            served = rules(f"2001:db8::/{length} static", static=static)
            self.assertEqual(texts(served.prefixes), [f"2001:db8::/{length}"])
            self.assertEqual(served.forwarded == served.prefixes, forwarded, (length, static))
            self.assertFalse(served.followsRoutes)
            self.assertEqual(served.forwards, forwarded)

    def test_whatIsAskedForOnAnInterfaceIsForwarded(self) -> None:
        """
        Whatever its length is.
        """
        served = rules("2001:db8::/64 iface eth1", "2001:db8:1::/80 iface docker0", static=OWN)
        self.assertEqual(served.forwarded, served.prefixes)
        self.assertFalse(served.followsRoutes)

    def test_autoFollowsTheRoutes(self) -> None:
        """
        One that is longer than /64 is forwarded as a whole, too: its route is for all of it.
        """
        served = rules("2001:db8::/64 auto")
        self.assertEqual((served.followsRoutes, served.forwarded), (True, []))
        served = rules("2001:db8::/80 auto")
        self.assertEqual((served.followsRoutes, served.forwarded), (True, served.prefixes))

    def test_aRuleInsideAnotherIsServedWithIt(self) -> None:
        """
        And is forwarded if it says so itself.
        """
        served = rules("2001:db8:0:0:c::/80 iface docker0", "2001:db8::/64 static",
                       "2001:db8:0:0:d::/80 auto", "2001:db8::5 static")  # fmt: skip
        self.assertEqual(texts(served.prefixes), ["2001:db8::/64"])
        self.assertEqual(texts(served.forwarded),
                         ["2001:db8::5", "2001:db8:0:0:c::/80", "2001:db8:0:0:d::/80"])  # fmt: skip
        self.assertEqual(served.excluded, [])
        self.assertTrue(served.followsRoutes)

    def test_prefixesStayInTheOrderOfTheFile(self) -> None:
        """
        Each once.
        """
        served = rules("2001:db8:2::/64 auto", "2001:db8:1::/64 auto", "2001:db8:2::/64 iface x")
        self.assertEqual(texts(served.prefixes), ["2001:db8:2::/64", "2001:db8:1::/64"])

    def test_aSingleAddressIsServedWithoutItsNeighbour(self) -> None:
        """
        Two that are neighbours are a /127.
        """
        served = rules("2001:db8::5 static", static=OWN)
        self.assertEqual(texts(served.prefixes), ["2001:db8::4/127"])
        self.assertEqual(texts(served.excluded), ["2001:db8::4"])
        served = rules("2001:db8::5 static", "2001:db8::4 static", static=OWN)
        self.assertEqual((texts(served.prefixes), served.excluded), (["2001:db8::4/127"], []))
        served = rules("2001:db8::5 static", "2001:db8::4/127 static", static=OWN)
        self.assertEqual((texts(served.prefixes), served.excluded), (["2001:db8::4/127"], []))

    def test_theRouterFlagIsTakenOver(self) -> None:
        """
        For each interface.
        """
        found = converted("proxy a { rule 2001:db8::/64 { auto } }\n"
                          "proxy b { router no rule 2001:db8:1::/64 { auto } }")  # fmt: skip
        self.assertEqual([(one.interface, one.router) for one in found.interfaces],
                         [("a", True), ("b", False)])  # fmt: skip

    def test_whatIsNotServedIsTold(self) -> None:
        """
        And the other rules of the proxy are.
        """
        text = (
            "proxy eth0 {\nrule ::/0 { static }\nrule 2000::/3 { auto }\nrule fe80::/64 { auto }\n"
            "rule ff02::1 { static }\nrule 2001:db8::/80 { iface eth0 }\nrule ::1 { static }\n"
            "rule 2001:db8:1::/64 { auto }\n}"
        )
        length = "it must be from 32 to 127 (64 is the usual one)"
        use = "use a global or unique local unicast prefix"
        self.assertMissed(
            text,
            "rule ::/0 on eth0: prefix64 serves what it is told: name the prefix that arrives, "
            "with --prefix",
            f"rule 2000::/3 on eth0: '2000::/3' has length 3: {length}",
            f"rule fe80::/64 on eth0: 'fe80::/64' is link-local: {use}",
            f"rule ff02::1/128 on eth0: 'ff02::/127' is multicast: {use}",
            "rule 2001:db8::/80 on eth0: it asks on the same link, where each address answers for "
            "itself",
            f"rule ::1/128 on eth0: '::/127' is loopback, unspecified or IPv4-compatible: {use}",
        )
        self.assertEqual(texts(converted(text).interfaces[0].prefixes), ["2001:db8:1::/64"])

    def test_aPrefixIsServedOnOneInterface(self) -> None:
        """
        The first that has it, or a part of it.
        """
        for other in ("2001:db8::/64", "2001:db8::/80", "2001:db8::/48", "2001:db8::5"):
            text = (
                "proxy eth0 { rule 2001:db8::/64 { auto } }\n"
                f"proxy eth1 {{ rule {other} {{ auto }} }}"
            )
            self.assertEqual([one.interface for one in converted(text).interfaces], ["eth0"])
            written = other if "/" in other else f"{other}/128"
            self.assertMissed(
                text,
                f"rule {written} on eth1: 2001:db8::/64 is served on eth0, and a prefix arrives on "
                "one interface",
            )

    def test_prefixesAreBounded(self) -> None:
        """
        Those that are too many are told, with their lines.
        """
        numbers = range(MOST_PREFIXES + 2)
        text = "\n".join(f"rule 2001:db8:{number:x}::/64 {{ auto }}" for number in numbers)
        found = converted(f"proxy eth0 {{\n{text}\n}}")
        self.assertEqual(len(found.interfaces[0].prefixes), MOST_PREFIXES)
        (missed,) = [remark for remark in found.remarks if remark.isMissed]
        self.assertEqual(missed.lines, (66, 67))
        self.assertIn("eth0 has too many rules: at most 64 prefixes", missed.text)

    def test_whatBecomesOfARuleIsToldOnceForAll(self) -> None:
        """
        With their lines, and with what is decided otherwise by the reader.
        """
        found = converted(
            "proxy eth0 {\nrule 2001:db8:1::/64 { static }\nrule 2001:db8:2::/64 { static }\n"
            "rule 2001:db8:3::/80 { static }\nrule 2001:db8:4::/64 { iface eth1 }\n"
            "rule 2001:db8:4::/80 { auto }\nrule 2001:db8:5::/64 { auto }\n}"
        )
        told = {remark.lines: remark.text for remark in found.remarks}
        self.assertEqual(list(told), [(2, 3), (4,), (5,), (6,), (7,)])
        self.assertIn("eth0, static: taken for this host's own", told[2, 3])
        self.assertIn("--static forward", told[2, 3])
        self.assertIn("eth0, static: taken for what lives behind this host", told[4,])
        self.assertIn("--static own", told[4,])
        self.assertIn("eth1 is not asked first", told[5,])
        self.assertIn("and so is each part of it", told[6,])
        self.assertIn("ndppd was silent for the rest", told[7,])

    def test_aStaticRuleInsideWhatIsForwardedIsTold(self) -> None:
        """
        It goes where the kernel routes it, as it did.
        """
        found = converted("proxy eth0 {\nrule 2001:db8::/64 { iface eth1 }\n"
                          "rule 2001:db8::/80 { static }\n}", OWN)  # fmt: skip
        self.assertEqual(found.remarks[1].text,
                         "eth0, static: is inside a prefix that is forwarded, and goes where the "
                         "kernel routes it")  # fmt: skip

    _lengths = st.integers(0, ADDRESS_BITS)
    _networks = st.integers(0, 15).map(lambda n: 0x20010DB8 << 96 | n << 60 | n)
    _rules = st.builds(
        lambda network, length, method: Rule(
            Prefix(network >> ADDRESS_BITS - length << ADDRESS_BITS - length, length),
            method, "eth9" if method == IFACE else "", 1),
        _networks, _lengths, st.sampled_from((STATIC, AUTO, IFACE)),
    )  # fmt: skip

    @given(
        st.lists(st.lists(_rules, max_size=6), max_size=3), st.sampled_from((None, OWN, FORWARD))
    )
    @settings(max_examples=200, deadline=None)
    def test_whateverIsConvertedTheOptionsAreTaken(
        self, proxies: list[list[Rule]], static: str | None
    ) -> None:
        """
        As those of the start are: no overlap, nothing excluded that is not inside. All of a rule is
        served, or it is told that it is not.
        """
        given = [Proxy(f"eth{n}", True, tuple(rules), 1) for n, rules in enumerate(proxies)]
        found = convert(given, static)
        for one in found.interfaces:
            prefixes = servedPrefixes(texts(one.prefixes), one.interface)
            excludedBlocks(texts(one.excluded), prefixes)
            for block in one.forwarded:
                self.assertTrue(any(prefix.covers(block) for prefix in prefixes))
        served = {one.interface: one.prefixes for one in found.interfaces}
        missed = sum(len(remark.lines) for remark in found.remarks if remark.isMissed)
        out = sum(
            not any(prefix.covers(rule.prefix) for prefix in served.get(proxy.interface, []))
            for proxy in given
            for rule in proxy.rules
        )
        self.assertLessEqual(out, missed)
        tomllib.loads("\n".join(toml(found.interfaces)))

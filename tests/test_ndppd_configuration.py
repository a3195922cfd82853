"""
What an ndppd.conf means to ndppd.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.errors import NdppdError
from prefix64.ndppd.configuration import isYes, readConfiguration
from prefix64.ndppd.model import AUTO, IFACE, STATIC, Configuration, Proxy, Rule
from prefix64.ndppd.reading import readSettings
from tests.ndppd_files import READ_OTHERWISE, REFUSED, SHAPES

_NO_NAME = (
    "is no interface's name: up to 15 characters, and nothing behind it (ip link shows the names)"
)
_NO_PREFIX = (
    "is no IPv6 address or prefix, and ndppd takes it for another one: write it as 2001:db8::/64"
)


def meaning(text: str) -> Configuration:
    """
    Read a text.
    """
    return readConfiguration(readSettings(text.encode(), "file"), "file")


class MeaningTests(SynchronousTestCase):
    """
    What ndppd does with the settings.
    """

    def proxies(self, text: str) -> list[Proxy]:
        """
        The proxies of a text.
        """
        return meaning(text).proxies

    def remarks(self, text: str) -> list[tuple[tuple[int, ...], str, bool]]:
        """
        What has to be told of a text.
        """
        return [(remark.lines, remark.text, remark.isMissed) for remark in meaning(text).remarks]

    def assertWrong(self, text: str, error: str) -> None:
        """
        A text has a mistake.
        """
        self.assertEqual(str(self.assertRaises(NdppdError, meaning, text)), error)

    def test_everyShapeIsTaken(self) -> None:
        """
        And every mistake is one line that says where.
        """
        for text in SHAPES.values():
            meaning(text)
        for name, text in {**REFUSED, **READ_OTHERWISE}.items():
            if name != "a rule without a method":
                self.assertRegex(str(self.assertRaises(NdppdError, meaning, text)), r"^file:\d+: ")

    def test_aRuleHasAPrefixAndAMethod(self) -> None:
        """
        Whatever the values of the methods are.
        """
        self.assertEqual(
            self.proxies(
                "proxy eth0 {\nrule 2001:db8::/64 { auto no }\nrule fd00::1 { iface eth1 }\n"
                "rule ::/0 { static }\n}"
            ),
            [
                Proxy(
                    "eth0",
                    True,
                    (
                        Rule(parsePrefix("2001:db8::/64"), AUTO, "", 2),
                        Rule(parsePrefix("fd00::1"), IFACE, "eth1", 3),
                        Rule(parsePrefix("::/0"), STATIC, "", 4),
                    ),
                    1,
                )
            ],
        )

    def test_theRouterFlagIsOnUnlessItIsSwitchedOff(self) -> None:
        """
        By anything but yes and true, in any case of letters.
        """
        for value, expected in (("yes", True), ("TRUE", True), ("no", False), ("false", False),
                                ("on", False), ("1", False), ("", False)):  # fmt: skip
            (proxy,) = self.proxies(f"proxy eth0 {{\nrouter {value}\n}}")
            self.assertIs(proxy.router, expected, value)
            self.assertIs(isYes(value), expected)
        (proxy,) = self.proxies("proxy eth0 { }")
        self.assertIs(proxy.router, True)
        self.assertIn(
            ((1,), "router 'on' is no: for ndppd only yes and true are yes", False),
            self.remarks("proxy eth0 { router on }"),
        )

    def test_hostBitsAreNotLookedAt(self) -> None:
        """
        And it is told what is left.
        """
        text = "proxy eth0 { rule 2001:db8::1/64 { auto } }"
        self.assertEqual(self.proxies(text)[0].rules[0].prefix, parsePrefix("2001:db8::/64"))
        self.assertEqual(
            self.remarks(text), [((1,), "rule 2001:db8::1/64 is 2001:db8::/64", False)]
        )

    def test_theLastProxyOfAnInterfaceCounts(self) -> None:
        """
        ndppd forgets the rules of the one before.
        """
        text = (
            "proxy eth0 { rule ::1:0/112 { auto } }\nproxy eth1 { rule ::3:0/112 { auto } }\n"
            "proxy eth0 { rule ::2:0/112 { auto } }"
        )
        self.assertEqual([(p.interface, p.line) for p in self.proxies(text)],
                         [("eth1", 2), ("eth0", 3)])  # fmt: skip
        self.assertEqual(
            self.remarks(text),
            [((1,), "proxy eth0 stands again in line 3, and ndppd goes by that one alone", False)],
        )

    def test_theFirstOfTwoSettingsCounts(self) -> None:
        """
        Of two that can stand once only.
        """
        text = "proxy eth0 {\nrouter no\nrouter yes\nrule ::/64 {\niface eth1\niface eth2\n} }"
        (proxy,) = self.proxies(text)
        self.assertEqual((proxy.router, proxy.rules[0].interface), (False, "eth1"))
        self.assertEqual(
            self.remarks(text),
            [
                ((3,), "router stands twice: ndppd takes the first", False),
                ((6,), "iface stands twice: ndppd takes the first", False),
            ],
        )

    def test_whatNdppdDoesNotReadIsTold(self) -> None:
        """
        Unknown words, known ones in the wrong place, and what is no word.
        """
        text = "prox a { }\nstatic\nproxy a {\nauto\nrule ::/64 {\nttl 5\nauto;\n};\n}"
        self.assertEqual(
            self.remarks(text),
            [
                ((1,), "'prox' is nothing that ndppd reads outside of a proxy", False),
                ((2,), "'static' is nothing that ndppd reads outside of a proxy", False),
                ((4,), "'auto' is nothing that ndppd reads in a proxy", False),
                ((6,), "'ttl' is nothing that ndppd reads in a rule", False),
                ((8,), "';' is nothing that ndppd reads in a proxy", False),
            ],
        )

    def test_settingsThatAreNotNeededAreToldOnce(self) -> None:
        """
        With all lines on which they stand.
        """
        text = "proxy a {\nttl 5\nrule ::/64 { auto }\n}\nproxy b { ttl 6 rule ::/64 { auto } }"
        why = "ttl: prefix64 keeps no list of answers: each solicitation is decided anew"
        self.assertEqual(self.remarks(text), [((2, 5), why, False)])

    def test_aSwitchOfLaterVersionsThatIsOnIsMissed(self) -> None:
        """
        One that is off did nothing.
        """
        text = "proxy eth0 {\nautowire yes\nrule ::/64 { auto\nautovia no } }"
        why = (
            "autowire, which ndppd 0.2.5 does not read: prefix64 makes no routes to what is behind "
            "this host: ip -6 route add PREFIX dev NAME"
        )
        off = "autovia, which ndppd 0.2.5 does not read: it is off"
        self.assertEqual(self.remarks(text), [((2,), why, True), ((4,), off, False)])

    def test_aRuleWithoutAMethodIsStatic(self) -> None:
        """
        As the manual says; ndppd 0.2.5 itself refuses it.
        """
        text = "proxy eth0 { rule 2001:db8::/64 { } }"
        self.assertEqual(self.proxies(text)[0].rules[0].method, STATIC)
        self.assertIn("0.2.5 refuses it", self.remarks(text)[0][1])

    def test_aProxyWithoutRulesIsTold(self) -> None:
        """
        It does nothing, and is no mistake.
        """
        why = "proxy eth0 has no rule: ndppd answers nothing there"
        self.assertEqual(self.remarks("proxy eth0"), [((1,), why, False)])

    def test_mistakesInNamesOfInterfacesAreNamed(self) -> None:
        """
        What the kernel could not have as one, and a semicolon, which ndppd takes for a part.
        """
        for name in ("eth0;", "a/b", "abcdefghijklmnop", "..", "'a b'"):
            shown = name.strip("'")
            self.assertWrong(f"\nproxy {name}", f"file:2: proxy '{shown}' {_NO_NAME}")
        self.assertWrong(
            "proxy a {\nrule ::/64 {\niface eth1; } }", f"file:3: iface 'eth1;' {_NO_NAME}"
        )

    def test_mistakesInPrefixesAreNamed(self) -> None:
        """
        ndppd takes most of them for C{::}, one for everything, and says nothing.
        """
        for value in ("*", "192.0.2.1", "::ffff:192.0.2.1", "::/", "::/129", "::/x", "::/64/64",
                      "2001:db8", "fe80::1%eth0", "::/-1"):  # fmt: skip
            self.assertWrong(
                f"proxy a {{\nrule {value} {{ static }} }}", f"file:2: rule '{value}' {_NO_PREFIX}"
            )

    def test_whatIsLeftOutIsNamed(self) -> None:
        """
        And what stands where one only can be.
        """
        for text, error in (
            ("\nproxy { }", "proxy has no interface: write its name behind it"),
            ("proxy a {\nrule {} }", "rule has no address: write an address or prefix behind it"),
            (
                "proxy a {\nrule ::/64 {\niface } }",
                "iface has no interface: write its name behind it",
            ),
            (
                "proxy a {\nrule 2001:db8::1/64 { static\nauto } }",
                "rule 2001:db8::/64 has auto and static: keep one (ndppd refuses it too)",
            ),
        ):
            line = 3 if "iface" in text else 2
            self.assertWrong(text, f"file:{line}: {error}")

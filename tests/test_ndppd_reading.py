"""
The grammar of an ndppd.conf.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.errors import NdppdError
from prefix64.ndppd.configuration import readConfiguration
from prefix64.ndppd.reading import (
    DEEPEST,
    MOST_BYTES,
    MOST_SETTINGS,
    Setting,
    quoted,
    readSettings,
)

_PIECES = (
    *("proxy eth0 {", "rule 2001:db8::/64 {", "rule ::/0", "eth0", "ttl 5", "router no"),
    *("static", "auto", "iface eth1", "}", "{", "=", ";", "\n", " ", '"', "'x'", "/"),
    *("# x\n", "// x\n", "/* x */", "/*/", "/*", "\x80", "\x00", "\x1b"),
)


class GrammarTests(SynchronousTestCase):
    """
    Names, values, blocks and comments.
    """

    def read(self, text: str) -> tuple[Setting, ...]:
        """
        Read a text.
        """
        return readSettings(text.encode(), "file")

    def assertWrong(self, text: str, error: str) -> None:
        """
        A text has a mistake.
        """
        self.assertEqual(str(self.assertRaises(NdppdError, self.read, text)), error)

    def test_aSettingHasANameAValueAndItsLine(self) -> None:
        """
        With or without an equals sign.
        """
        self.assertEqual(
            self.read("route-ttl 500\n\nttl=1\nx = y"),
            (Setting("route-ttl", "500", 1), Setting("ttl", "1", 3), Setting("x", "y", 4)),
        )

    def test_settingsNeedNoEndOfLine(self) -> None:
        """
        Two on a line are two; what stands behind a name on its line is its value.
        """
        self.assertEqual(
            self.read("router no ttl 5"), (Setting("router", "no", 1), Setting("ttl", "5", 1))
        )
        self.assertEqual(self.read("static auto"), (Setting("static", "auto", 1),))
        self.assertEqual(
            self.read("static\nauto"), (Setting("static", "", 1), Setting("auto", "", 2))
        )

    def test_blocksAreInEachOther(self) -> None:
        """
        Braces need no blanks.
        """
        rule = Setting("rule", "::/64", 2, (Setting("static", "", 3),))
        self.assertEqual(
            self.read("proxy eth0{\nrule ::/64{\nstatic}}"), (Setting("proxy", "eth0", 1, (rule,)),)
        )
        self.assertEqual(self.read("a { }"), (Setting("a", "", 1, ()),))

    def test_commentsAreSkipped(self) -> None:
        """
        Those of a line, and those with an end; not inside of a value.
        """
        self.assertEqual(self.read("# a {\n// b }\n/* c\n{ */ttl /* d\n*/ 5 # e"),
                         (Setting("ttl", "5", 4),))  # fmt: skip
        self.assertEqual(self.read("/*/ttl 5#x"), (Setting("ttl", "5#x", 1),))

    def test_aCommentMayHaveAnyBytes(self) -> None:
        """
        But for the one that ends the text.
        """
        comment = bytes(range(1, 10)) + bytes(range(11, 256))
        found = readSettings(b"#" + comment + b"\nttl 5", "file")
        self.assertEqual(found, (Setting("ttl", "5", 2),))

    def test_aValueInQuotesEndsItsLine(self) -> None:
        """
        As long as nothing stands behind it.
        """
        self.assertEqual(
            self.read("iface \"eth1\" \r\nx 'y'"),
            (Setting("iface", "eth1", 1), Setting("x", "y", 2)),
        )
        for text in ('x "y" {', "x 'y' z", 'x "y', "x \"y'", 'x "y" # z'):
            shown = quoted(text[2:])
            self.assertWrong(
                text,
                f"file:1: {shown}: ndppd does not read the rest of a line with quotes: "
                "leave them out",
            )

    def test_aBlockNeedsItsEnd(self) -> None:
        """
        The error names the one that is open, and where it begins.
        """
        self.assertWrong("\na {\nb c {\n}\n", "file:2: the block of 'a' has no '}'")
        self.assertWrong("a {\nb c {\n\n", "file:2: the block of 'b c' has no '}'")

    def test_aBraceStandsOnTheLineOfItsName(self) -> None:
        """
        For ndppd one that stands alone is the block of nothing.
        """
        self.assertWrong(
            "proxy eth0\n{ }",
            "file:2: '{' is read by ndppd on the line of its proxy or rule only: put it there",
        )

    def test_aBraceThatClosesNothingEndsTheFile(self) -> None:
        """
        Where nothing follows it does no harm.
        """
        self.assertEqual(self.read("a { }\n}\n# b\n"), (Setting("a", "", 1, ()),))
        self.assertWrong(
            "a { }\n}\nb",
            "file:2: '}' closes nothing, and ndppd reads nothing behind it: delete it, or the rest",
        )

    def test_aCommentNeedsItsEnd(self) -> None:
        """
        Else the rest of the file is one.
        """
        self.assertWrong("a b\n/* c", "file:2: the comment has no end: put */ behind it")

    def test_bytesThatAreNoTextAreNamed(self) -> None:
        """
        ndppd would try for ever to get past them.
        """
        self.assertWrong(
            "a b\nc \x1b", "file:2: '\\x1b' is read by ndppd in comments only: delete it"
        )
        self.assertWrong(
            "\N{NO-BREAK SPACE}a", "file:1: '\\xc2' is read by ndppd in comments only: delete it"
        )
        self.assertWrong(
            "# a\n\0",
            "file:2: a NUL byte, behind which ndppd reads nothing: is it a text file?",
        )

    def test_whatIsReadIsBounded(self) -> None:
        """
        In bytes, settings and depth.
        """
        what = "is it an ndppd.conf?"
        self.assertEqual(self.read("#" * MOST_BYTES), ())
        self.assertWrong("#" * (MOST_BYTES + 1), f"file is larger than 1,048,576 bytes: {what}")
        self.assertEqual(len(self.read("a\n" * MOST_SETTINGS)), MOST_SETTINGS)
        self.assertWrong(
            "a\n" * (MOST_SETTINGS + 1),
            f"file:{MOST_SETTINGS + 1}: more than {MOST_SETTINGS:,} settings: {what}",
        )
        self.assertEqual(len(self.read("a{" * DEEPEST + "}" * DEEPEST)), 1)
        self.assertWrong(
            "a{" * 100_000, f"file:1: more than {DEEPEST} blocks in each other: {what}"
        )

    def test_whatIsQuotedIsShortAndVisible(self) -> None:
        """
        A long value is cut, and whatever a terminal would act on is escaped.
        """
        self.assertEqual(quoted("eth0"), "'eth0'")
        self.assertEqual(quoted("\x1b[2J\xff"), "'\\x1b[2J\\xff'")
        self.assertEqual(quoted("x" * 50), f"'{'x' * 40}'...")

    @given(st.one_of(st.binary(max_size=80), st.lists(st.sampled_from(_PIECES)).map(
        lambda pieces: "".join(pieces).encode("latin-1"))))  # fmt: skip
    @settings(max_examples=400, deadline=None)
    def test_whateverIsReadNothingElseIsRaised(self, content: bytes) -> None:
        """
        It is read, or an error says in one line of visible ASCII why not.
        """
        try:
            found = readConfiguration(readSettings(content, "file"), "file")
        except NdppdError as error:
            self.assertTrue(str(error).isascii() and str(error).isprintable(), error)
            return
        for remark in found.remarks:
            self.assertTrue(remark.text.isascii() and remark.text.isprintable(), remark)
            self.assertTrue(all(1 <= n <= content.count(b"\n") + 1 for n in remark.lines))

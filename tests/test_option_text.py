"""
Texts that mention options: as for the command line, as for a file, and as for both.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.errors import OptionError, Prefix64Error, givenIn
from prefix64.option_text import OptionText, Origin, inFile, onCommandLine

IN_FILE = Origin("p.toml", {"echo": "[[interface]] 2", "http": ""}, frozenset({"ports"}))


class OptionTextTests(SynchronousTestCase):
    """
    One text, two spellings.
    """

    def test_itIsThatOfTheCommandLineAtFirst(self) -> None:
        """
        An option alone, with a value, with one of the values that were given.
        """
        for template, text in (
            ("{local} too", "--local too"),
            ("{echo:none} here", "--echo none here"),
            ("{na-source:{0!r}}: no", "--na-source 'x y': no"),
            ("{ports:tcp:80,tcp:443}", "--ports tcp:80,tcp:443"),
            ("{option:{1:,}} of {0}", "--rate 1,000 of x y"),
        ):
            found = OptionText(template, "x y", 1000, option="rate")
            self.assertEqual(str(found), text)

    def test_inAFileItIsAKeyAndItsValue(self) -> None:
        """
        Texts have quotes, numbers have none, and what has quotes gets no others.
        """
        text = OptionText("{echo:none}, {table:64}, {dad:{0!r}}, {local}", "x")
        self.assertEqual(text.spelled(inFile), "echo = \"none\", table = 64, dad = 'x', local")

    def test_whatIsMentionedIsKnownInOrder(self) -> None:
        """
        Each as often as it is mentioned.
        """
        text = OptionText("{http:80} and {option} and {ports:{0}} and {http}", 1, option="echo")
        self.assertEqual(text.mentioned(), ["http", "echo", "ports", "http"])

    def test_bracesThatAPersonWroteAreNoFields(self) -> None:
        """
        Neither in a value nor in the value of an option.
        """
        text = OptionText("{echo:{0!r}} {ports:{0}} {0}", "{local} {9} {")
        self.assertEqual(str(text), "--echo '{local} {9} {' --ports {local} {9} { {local} {9} {")
        self.assertEqual(text.mentioned(), ["echo", "ports"])

    @given(st.text())
    def test_theValueOfAnOptionIsOneLine(self, value: str) -> None:
        """
        Whatever a person wrote.
        """
        text = OptionText("{echo:{0}} {dad:{0!r}}", value)
        for spell in (onCommandLine, inFile):
            self.assertTrue(text.spelled(spell).isprintable())


class OriginTests(SynchronousTestCase):
    """
    Errors are spelled for whoever gave the options.
    """

    def raised(self, *texts: str, origins: tuple[Origin, ...] = (IN_FILE,)) -> str:
        """
        What an error says that comes out of these origins, the inmost first.
        """
        try:
            if not origins:
                raise OptionError(OptionText(*texts))
            with givenIn(origins[-1]):
                self.raiseIn(texts, origins[:-1])
        except Prefix64Error as error:
            return str(error)
        raise AssertionError("nothing was raised")

    def raiseIn(self, texts: tuple[str, ...], origins: tuple[Origin, ...]) -> None:
        if origins:
            with givenIn(origins[-1]):
                self.raiseIn(texts, origins[:-1])
        raise OptionError(OptionText(*texts))

    def test_whatTheFileSaysHasItsPlace(self) -> None:
        """
        That of the first option that the file has.
        """
        self.assertEqual(
            self.raised("{echo:{0!r}}: no", "x"), "p.toml: [[interface]] 2: echo = 'x': no"
        )
        self.assertEqual(self.raised("{http:80} {echo:none}"), 'p.toml: http = 80 echo = "none"')

    def test_whatWasTypedIsAsItWasTyped(self) -> None:
        """
        And what nobody gave is as in the file, if the file is to be changed.
        """
        self.assertEqual(
            self.raised("{ports:tcp:1} {http:80} {local}"),
            "p.toml: --ports tcp:1 http = 80 local",
        )
        self.assertEqual(self.raised("{ports:tcp:1} {local}"), "--ports tcp:1 --local")

    def test_whatNobodyGaveBelongsIntoTheFile(self) -> None:
        """
        Where that of an interface belongs; what mentions no option has no place.
        """
        origin = Origin("p.toml", {}, frozenset({"ports"}), "[[interface]] 3")
        text = self.raised("take another {table}", origins=(origin,))
        self.assertEqual(text, "p.toml: [[interface]] 3: take another table")
        self.assertEqual(self.raised("{table} {ports}", origins=(origin,)), "--table --ports")
        self.assertEqual(self.raised("no room", origins=(origin,)), "no room")

    def test_withoutAnOriginItIsTheCommandLine(self) -> None:
        """
        So it is with an empty one.
        """
        self.assertEqual(self.raised("{echo:none}", origins=(Origin(),)), "--echo none")
        self.assertEqual(self.raised("{echo:none}", origins=()), "--echo none")

    def test_theInmostOriginIsTheRightOne(self) -> None:
        """
        That of the interface, inside that of the process.
        """
        outer = Origin("outer", {"echo": ""})
        text = self.raised("{echo:none}", origins=(IN_FILE, outer))
        self.assertEqual(text, 'p.toml: [[interface]] 2: echo = "none"')

    def test_otherTextsStayAsTheyAre(self) -> None:
        """
        Also those that look like a template.
        """
        error = Prefix64Error("{echo} {0}")
        error.origin = IN_FILE
        self.assertEqual(str(error), "{echo} {0}")
        self.assertEqual(str(Prefix64Error()), "")

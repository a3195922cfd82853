"""
docs/protocol.md against the code and the tests: every row names code and tests that there are, and
every case of the protocol has its tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from prefix64.icmpv6.verdicts import Verdict

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs" / "protocol.md"
SOURCES = REPOSITORY / "src" / "prefix64"

CASES = range(1, 85)
ALONE = range(1, 62)
"""The cases that a responder without a kernel can be asked."""

_MARK = "(k)"


def tableUnder(heading: str) -> Iterator[list[str]]:
    """
    The rows of the table in a section, cell by cell, without its head.
    """
    section = (
        PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    )
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    for row in rows[2:]:
        yield [cell.strip() for cell in row.strip("|").split(" | ")]


def quoted(cell: str) -> list[str]:
    """
    What stands between backticks.
    """
    return re.findall(r"`([^`]+)`", cell)


def testsIn(directory: Path) -> set[str]:
    """
    The names of all tests of a folder, without C{test_}.
    """
    return {
        name
        for path in directory.glob("test_*.py")
        for name in re.findall(r"def test_(\w+)", path.read_text(encoding="utf-8"))
    }


class ProtocolPageTests(SynchronousTestCase):
    """
    The tables of the page.
    """

    def setUp(self) -> None:
        self.alone = testsIn(REPOSITORY / "tests")
        self.kernel = testsIn(REPOSITORY / "tests" / "kernel")
        self.assertGreater(len(self.alone), 400)
        self.assertGreater(len(self.kernel), 100)

    def test_everyCaseHasItsTests(self) -> None:
        """
        Cases 1 to 84 in order: 1 to 61 against the responder alone, those marked (k) and 62 to 84
        against a real kernel; each test that is named is there.
        """
        rows = list(tableUnder("The cases and their tests"))
        self.assertEqual([int(row[0].split()[0]) for row in rows], list(CASES))
        for case, what, alone, kernel in rows:
            number = int(case.split()[0])
            self.assertTrue(what, case)
            self.assertEqual(set(quoted(alone)) - self.alone, set(), case)
            self.assertEqual(set(quoted(kernel)) - self.kernel, set(), case)
            if number in ALONE:
                self.assertTrue(quoted(alone), case)
            if number not in ALONE:
                self.assertIn(_MARK, case)
            if _MARK in case:
                self.assertTrue(quoted(kernel), case)

    def test_everyTestOfACaseIsNamed(self) -> None:
        """
        No test of a case is left out.
        """
        rows = list(tableUnder("The cases and their tests"))
        named = {name for row in rows for cell in row[2:] for name in quoted(cell)}
        found = {name for name in self.alone | self.kernel if re.match(r"case\d", name)}
        self.assertEqual(found - named, set())

    def test_everyClauseHasCodeAndTests(self) -> None:
        """
        The files and functions that are named are there, and so are the tests.
        """
        rows = list(tableUnder("RFC clause, code, test"))
        self.assertGreater(len(rows), 25)
        for clause, what, code, tests in rows:
            self.assertRegex(clause, r"^RFC \d+")
            self.assertTrue(what, clause)
            names = quoted(code)
            self.assertTrue(names[0].endswith(".py"), clause)
            sources = "".join((SOURCES / n).read_text("utf-8") for n in names if n.endswith(".py"))
            for name in names:
                if not name.endswith(".py"):
                    self.assertRegex(sources, rf"(def|class) {name.split('.')[-1]}\b", clause)
            self.assertTrue(quoted(tests), clause)
            self.assertEqual(set(quoted(tests)) - self.alone - self.kernel, set(), clause)

    def test_everyVerdictIsThere(self) -> None:
        """
        With its reason, in the words of the trace.
        """
        rows = [row for row in tableUnder("Verdicts") if row[0].startswith("`")]
        self.assertEqual(
            [(quoted(name)[0], reason) for name, reason in rows],
            [(verdict.name.lower(), verdict.reason) for verdict in Verdict],
        )

"""
What ndppd did, written as comments, command lines and TOML.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tomllib

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.ndppd.conversion import Served
from prefix64.ndppd.model import Remark
from prefix64.ndppd.writing import commandLine, comment, comments, toml


class WritingTests(SynchronousTestCase):
    """
    Comments, command lines and TOML.
    """

    def served(self) -> Served:
        """
        Something that has all of it, for an interface whose name a shell would act on.
        """
        prefixes = [parsePrefix(f"2001:db8:{number}::/64") for number in range(4)]
        return Served("a$(x)#&", True, prefixes, [parsePrefix("2001:db8::1")],
                      [parsePrefix("2001:db8::5"), prefixes[1]], True)  # fmt: skip

    def test_aShellReadsTheCommandLineAsItIsMeant(self) -> None:
        """
        Over several lines, with comments before it, and with every name quoted.
        """
        lines = [*comment("a'b \"c $(d) `e` ; f"), *commandLine(self.served())]
        self.assertTrue(all(len(line) <= 100 for line in lines), lines)
        self.assertGreater(len(lines), 3)
        script = "twistd() { printf '%s\\n' \"$@\"; }\n" + "\n".join(lines)
        read = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
        self.assertEqual(read.stderr, "")
        expected = (
            "-n prefix64 --iface a$(x)#& --prefix 2001:db8::/64 --prefix 2001:db8:1::/64 "
            "--prefix 2001:db8:2::/64 --prefix 2001:db8:3::/64 --exclude 2001:db8::1 "
            "--forward auto --forward 2001:db8::5/128 --forward 2001:db8:1::/64 --http none "
            "--echo kernel --na-router auto"
        )
        self.assertEqual(read.stdout.split("\n"), [*expected.split(" "), ""])

    def test_aShortCommandIsOneLine(self) -> None:
        """
        What is not needed is not in it.
        """
        served = Served("eth0", False, [parsePrefix("2001:db8::/64")])
        expected = "twistd -n prefix64 --iface eth0 --prefix 2001:db8::/64 --http none " \
                   "--echo kernel --na-router 0"  # fmt: skip
        self.assertEqual(list(commandLine(served)), [expected])
        self.assertEqual(shlex.split(expected)[-1], "0")

    def test_tomlHasATableForEachInterface(self) -> None:
        """
        And what is the same for all above them.
        """
        other = Served('"\\', False, [parsePrefix("2001:db8:9::/64")])
        found = tomllib.loads("\n".join([*comment("x"), *toml([self.served(), other])]))
        self.assertEqual(
            found,
            {
                "http": "none",
                "echo": "kernel",
                "interface": [
                    {
                        "iface": "a$(x)#&",
                        "prefix": [f"2001:db8{end}::/64" for end in ("", ":1", ":2", ":3")],
                        "exclude": ["2001:db8::1"],
                        "forward": ["auto", "2001:db8::5/128", "2001:db8:1::/64"],
                        "na-router": "auto",
                    },
                    {"iface": '"\\', "prefix": ["2001:db8:9::/64"], "na-router": "0"},
                ],
            },
        )

    def test_aLongListHasALineForEachValue(self) -> None:
        """
        A short one has one line.
        """
        many = [parsePrefix(f"2001:db8:{number}::/64") for number in range(9)]
        lines = list(toml([Served("eth0", True, many)]))
        self.assertIn("prefix = [", lines)
        self.assertIn('    "2001:db8:8::/64",', lines)
        self.assertEqual(json.loads(lines[lines.index("prefix = [") + 1].strip(" ,")),
                         "2001:db8::/64")  # fmt: skip

    def test_whatIsMissedComesFirst(self) -> None:
        """
        Then in the order of the lines.
        """
        remarks = [Remark((3,), "c"), Remark((2,), "b"), Remark((9,), "m", True)]
        self.assertEqual(list(comments(remarks)),
                         ["# NOT CONVERTED, line 9: m", "# line 2: b", "# line 3: c"])  # fmt: skip

    def test_manyLinesAreCounted(self) -> None:
        """
        The first eight are named.
        """
        self.assertEqual(list(comments([Remark((1, 2), "a")])), ["# lines 1, 2: a"])
        self.assertEqual(list(comments([Remark(tuple(range(1, 12)), "a")])),
                         ["# lines 1, 2, 3, 4, 5, 6, 7, 8 and 3 more: a"])  # fmt: skip

    def test_aLongCommentIsBroken(self) -> None:
        """
        Each line begins with its sign.
        """
        lines = list(comment("word " * 50))
        self.assertGreater(len(lines), 2)
        self.assertTrue(all(line.startswith("#") and len(line) <= 96 for line in lines))

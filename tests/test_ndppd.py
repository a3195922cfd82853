"""
C{prefix64 import-ndppd}, as it is typed.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from prefix64.ndppd.words import WORDS
from tests import ndppd_files
from tests.support import requirePrograms
from tests.test_cli import runMain

_SHIPPED = Path("/usr/share/doc/ndppd/ndppd.conf-dist")

_OWN_PREFIX = """\
# What {file} did, by prefix64 import-ndppd.
# line 1: route-ttl: the kernel tells prefix64 of each change at once
# line 5: timeout: prefix64 asks nobody before it answers: there is nothing to wait for
# line 6: ttl: prefix64 keeps no list of answers: each solicitation is decided anew
# line 8: eth0, static: taken for this host's own, whose local route is made by prefix64. If it
#   lives behind this host, add --forward with the prefix (or auto, for parts of it), or say
#   import-ndppd --static forward
# Before the start: systemctl disable --now ndppd
twistd -n prefix64 --iface eth0 --prefix 2001:db8::/64 --http none --echo kernel --na-router 0
"""

_TWO_UPLINKS = """\
http = "none"
echo = "kernel"

[[interface]]
iface = "eth0"
prefix = ["2001:db8:1::/64"]
forward = ["2001:db8:1:0:d::/80"]
na-router = "0"

[[interface]]
iface = "eth1"
prefix = ["2001:db8:2::/112"]
forward = ["2001:db8:2::/112"]
routing = "none"
respond = "hosts"
na-router = "auto"
"""

_GUIDE = Path(__file__).parent.parent / "docs" / "howto-ndppd.md"


class GuideTests(SynchronousTestCase):
    """
    The page for those who come from ndppd.
    """

    def blocks(self) -> dict[str, list[str]]:
        """
        What stands between fences, by the language.
        """
        found: dict[str, list[str]] = {}
        for part in _GUIDE.read_text(encoding="utf-8").split("\n```")[1::2]:
            language, _, text = part.partition("\n")
            found.setdefault(language, []).append(f"{text}\n")
        return found

    def test_theExampleIsWhatIsPrinted(self) -> None:
        """
        As a command, and as TOML.
        """
        blocks = self.blocks()
        path = Path("ndppd.conf")
        self.addCleanup(path.unlink, missing_ok=True)
        path.write_text(blocks["text"][1], encoding="utf-8")
        printed = runMain("import-ndppd", str(path))[1]
        self.assertEqual(printed.replace(f"What {path}", "What /etc/ndppd.conf"), blocks["sh"][0])
        printed = runMain("import-ndppd", str(path), "--toml")[1]
        self.assertEqual(printed.partition("\n\n")[2], blocks["toml"][0])

    def test_everySettingIsInIt(self) -> None:
        """
        Each word of ndppd that the command knows.
        """
        text = _GUIDE.read_text(encoding="utf-8")
        for word in WORDS:
            self.assertRegex(text, rf"`{word}( yes)?`")


class CommandTests(SynchronousTestCase):
    """
    What it prints, and how it ends.
    """

    def setUp(self) -> None:
        """
        Have a path for a file.
        """
        self.path = Path("ndppd.conf")
        self.addCleanup(self.path.unlink, missing_ok=True)

    def given(self, text: str, *arguments: str) -> tuple[int, str, str]:
        """
        Run the command on a text.
        """
        self.path.write_text(text, encoding="utf-8")
        return runMain("import-ndppd", str(self.path), *arguments)

    def options(self, text: str, *arguments: str) -> list[str]:
        """
        The options that are printed for a text.
        """
        output = self.given(text, *arguments)[1]
        words = shlex.split(output.replace("\\\n", ""), comments=True)
        self.assertEqual(words[:3], ["twistd", "-n", "prefix64"])
        return words[3:]

    def test_anOwnPrefixBecomesACommand(self) -> None:
        """
        With all that has to be known before it, as comments.
        """
        expected = _OWN_PREFIX.format(file=self.path)
        self.assertEqual(self.given(ndppd_files.OWN_PREFIX), (0, expected, ""))

    def test_whatLivesBehindBecomesForward(self) -> None:
        """
        And it is told what forwarding needs.
        """
        status, output, errors = self.given(ndppd_files.CONTAINERS)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("# forward needs: sysctl -w net.ipv6.conf.all.forwarding=1\n", output)
        block = "2001:db8:0:0:c::/80"
        expected = (
            f"--iface eth0 --prefix {block} --forward auto --forward {block} "
            "--routing none --respond hosts --http none --echo kernel --na-router auto"
        )
        self.assertEqual(" ".join(self.options(ndppd_files.CONTAINERS)), expected)
        own = self.options(ndppd_files.OWN_PREFIX, "--static", "forward")
        self.assertEqual(own[own.index("--forward") + 1], "2001:db8::/64")

    def test_severalProxiesBecomeAFile(self) -> None:
        """
        For --config; one does if it is asked for.
        """
        status, output, errors = self.given(ndppd_files.TWO_UPLINKS)
        self.assertEqual((status, errors), (0, ""))
        before, _, written = output.partition("\n\n")
        self.assertEqual(written, _TWO_UPLINKS)
        self.assertTrue(all(line.startswith("#") for line in before.split("\n")))
        self.assertIn("# Start it with: twistd -n prefix64 --config THIS-FILE", before)
        output = self.given(ndppd_files.OWN_PREFIX, "--toml")[1]
        self.assertEqual(
            tomllib.loads(output)["interface"],
            [{"iface": "eth0", "prefix": ["2001:db8::/64"], "na-router": "0"}],
        )

    def test_singleAddressesAreServedAlone(self) -> None:
        """
        And it is told how.
        """
        output = self.given(ndppd_files.MACHINES)[1]
        self.assertIn(
            "# A single address is served as the /127 that it is in, less the other.", output
        )
        options = self.options(ndppd_files.MACHINES)
        prefixes = [value for name, value in pairwise(options) if name == "--prefix"]
        self.assertEqual(prefixes, ["2001:db8::10/127", "2001:db8::12/127"])
        self.assertEqual(options[options.index("--exclude") + 1], "2001:db8::10")

    def test_whatHasNoCounterpartIsCounted(self) -> None:
        """
        The rest is printed, and the exit status is 1.
        """
        status, output, errors = self.given(ndppd_files.BRIDGE)
        self.assertEqual(status, 1)
        self.assertEqual(output.count("# NOT CONVERTED, line"), 3)
        self.assertIn("--iface eth0 --prefix 2001:db8::/64 --forward 2001:db8::/64", output)
        self.assertEqual(
            errors,
            f"prefix64: {self.path}: no counterpart for 3 of its settings: see NOT CONVERTED in "
            "the comments\n",
        )

    def test_aFileThatLeavesNothingIsAMistake(self) -> None:
        """
        What was in it is told all the same.
        """
        error = f"prefix64: {self.path} has no rule that prefix64 could serve: see " \
                "docs/howto-ndppd.md\n"  # fmt: skip
        heading = f"# What {self.path} did, by prefix64 import-ndppd.\n"
        self.assertEqual(self.given(""), (1, heading, error))
        status, output, errors = self.given("proxy eth0 { rule ::/0 { static } }")
        self.assertEqual((status, errors), (1, error))
        self.assertIn("# NOT CONVERTED, line 1: rule ::/0 on eth0", output)
        self.assertNotIn("twistd", output)

    def test_everyShapeIsConvertedOrSaysWhy(self) -> None:
        """
        Each line is a comment, or one that a shell or a reader of TOML takes.
        """
        for name, text in ndppd_files.SHAPES.items():
            status, output, errors = self.given(text)
            self.assertEqual(status, 1 if errors else 0, name)
            self.assertTrue(output.isascii(), name)
            if "[[interface]]" in output:
                tomllib.loads(output)
            elif "twistd -n" in output:
                self.options(text)

    def test_aMistakeIsOneLineWithItsPlace(self) -> None:
        """
        And nothing is printed that could be pasted.
        """
        for text in (*ndppd_files.REFUSED.values(), *ndppd_files.READ_OTHERWISE.values()):
            if text != ndppd_files.REFUSED["a rule without a method"]:
                status, output, errors = self.given(text)
                self.assertEqual((status, output), (1, ""))
                self.assertRegex(errors, rf"\Aprefix64: {self.path}:\d+: [ -~]+\n\Z")

    def test_standardInputIsRead(self) -> None:
        """
        With a dash for the file.
        """
        content = io.BytesIO(ndppd_files.OWN_PREFIX.encode())
        self.patch(sys, "stdin", io.TextIOWrapper(content))
        expected = _OWN_PREFIX.format(file="standard input")
        self.assertEqual(runMain("import-ndppd", "-"), (0, expected, ""))

    def test_standardInputMayBeClosed(self) -> None:
        """
        As a shell does with C{<&-}.
        """
        self.patch(sys, "stdin", None)
        expected = "prefix64: standard input cannot be read: it is closed: name an ndppd.conf\n"
        self.assertEqual(runMain("import-ndppd", "-"), (1, "", expected))

    def test_aFileThatCannotBeReadIsNamed(self) -> None:
        """
        Escaped, if its name is not visible.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        for name, error in (
            ("/missing/x", "/missing/x cannot be read: No such file or directory"),
            (directory, f"{directory} cannot be read: Is a directory"),
            (
                "/missing/\x1b[1m\n",
                r"'/missing/\x1b[1m\n' cannot be read: No such file or directory",
            ),
            ("a\0b", r"'a\x00b' cannot be read: embedded null byte"),
        ):
            expected = f"prefix64: {error}: name an ndppd.conf\n"
            self.assertEqual(runMain("import-ndppd", name), (1, "", expected))

    def test_aFileWithoutAnEndIsRefused(self) -> None:
        """
        After as much as it may have.
        """
        expected = "prefix64: /dev/zero is larger than 1,048,576 bytes: is it an ndppd.conf?\n"
        self.assertEqual(runMain("import-ndppd", "/dev/zero"), (1, "", expected))

    def test_theFileThatIsReadOtherwiseIsNdppds(self) -> None:
        """
        Without a name it is the one that ndppd reads.
        """
        status, output, errors = runMain("import-ndppd", "--help")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("/etc/ndppd.conf", output)
        if not os.path.exists("/etc/ndppd.conf"):
            self.assertIn("/etc/ndppd.conf cannot be read", runMain("import-ndppd")[2])

    def test_theShippedExampleIsConverted(self) -> None:
        """
        Where Debian's package is installed.
        """
        if not _SHIPPED.exists():
            requirePrograms("ndppd")
        options = self.options(_SHIPPED.read_text())
        self.assertEqual(
            options[:6], ["--iface", "eth0", "--prefix", "1111::/127", "--exclude", "1111::1"]
        )

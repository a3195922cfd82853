"""
The file of C{--config}: what it says is what is set, the command line wins, and each mistake is one
line that names the file, the place and the key.
"""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.errors import ConfigError, InterfaceError
from prefix64.icmpv6.policies import DadPolicy, RouterFlag
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.ndppd.conversion import Served
from prefix64.ndppd.writing import toml
from prefix64.option_text import OptionText
from prefix64.options.command_line import Options
from prefix64.options.file import LARGEST_FILE, ConfigFile, readConfigFile
from prefix64.options.file_keys import MOST_INTERFACES, OF_LINK, OF_PROCESS, OF_TABLES
from prefix64.options.file_values import LONGEST_TEXT
from prefix64.routing.entries import Way
from prefix64.settings import EchoMode, LinkSettings, Settings

DOCUMENTATION = Path(__file__).parent.parent / "docs" / "options.md"

TWO = """
[[interface]]
iface = "eth0"
prefix = "2001:db8::/64"
[[interface]]
iface = "eth1"
prefix = ["2001:db8:1::/64", "2001:db8:2::/64"]
"""

NAMES = {"lo": 772, "eth0": ETHERNET, "eth1": ETHERNET, "lan1": ETHERNET, "ppp0": 512}
"""The interfaces of the host, with their hardware types; lan1 is eth1."""


def aLink(name: str, wait: float = 0.0, left: float | None = None) -> Link:
    """
    Find an interface of the host.
    """
    if name not in NAMES:
        raise InterfaceError(OptionText("{iface:{0!r}}: there is no such interface", name))
    real = "eth1" if name == "lan1" else name
    return Link(real, list(NAMES).index(real) + 1, NAMES[name], b"", True)


class HostOptions(Options):
    """
    The options, on a host that has some interfaces, and every privilege.

    @ivar asked: the privileges that were looked for.
    """

    findLink = staticmethod(aLink)

    def checkPrivileges(self, admin: bool, packets: bool, ports: list[int]) -> None:
        self.asked = admin, packets, ports


class FileCase(SynchronousTestCase):
    """
    What reads a file.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "prefix64.toml")

    def write(self, text: str | bytes) -> str:
        """
        Make the file.
        """
        with open(self.path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        return self.path

    def parsed(self, text: str | bytes, *arguments: str) -> Settings:
        """
        The settings, with the file and what is on the command line.
        """
        self.options = HostOptions()
        self.options.parseOptions(["--config", self.write(text), *arguments])
        return self.options.settings

    def link(self, text: str, *arguments: str) -> LinkSettings:
        """
        The settings of the one interface.
        """
        (link,) = self.parsed(text, *arguments).links
        return link

    def refused(self, text: str | bytes, *arguments: str) -> str:
        """
        What is said of a file, without its path.
        """
        error = str(self.assertRaises(usage.UsageError, self.parsed, text, *arguments))
        self.assertTrue(error.isprintable(), error)
        return error.replace(self.path, "FILE")


class GoodFileTests(FileCase):
    """
    Every option, in a file.
    """

    def test_anEmptyFileIsAsNoFile(self) -> None:
        """
        Also one with a byte order mark.
        """
        expected = HostOptions()
        expected.parseOptions([])
        for text in ("", "# nothing\n", b"\xef\xbb\xbf# nothing\r\n", "interface = []"):
            self.assertEqual(self.parsed(text), expected.settings)

    def test_theKeysAreTheLongNamesOfTheOptions(self) -> None:
        """
        All of them, but those that make no sense there.
        """
        every = {*Options().keys(), "prefix", "exclude", "forward", "http"}
        outside = {"config", "version", "help"}
        self.assertEqual({*OF_LINK, *OF_PROCESS}, every - outside)
        self.assertEqual(len({*OF_LINK, *OF_PROCESS}), len(OF_LINK) + len(OF_PROCESS))

    def test_itIsAsOnTheCommandLine(self) -> None:
        """
        Each option, as a text, and as the number or array that it may be written as.
        """
        ethernet = ("--iface", "eth0", "--prefix", "2001:db8::/64")
        for text, *arguments in (
            ('iface = "eth0"\nprefix = "2001:db8::/64"',),
            ('prefix = ["2001:db8::/64", "2001:db8:1::/64"]', "-p", "2001:db8:1::/64"),
            ('exclude = ["2001:db8::1"]', "--exclude", "2001:db8::1"),
            ('forward = ["auto", "2001:db8::/80"]', "--forward", "auto", "--forward=2001:db8::/80"),
            ('routing = "none"', "--routing", "none"),
            (
                'routing = "ports"\nports = ["tcp:80", "udp"]',
                *("--routing", "ports", "--ports", "tcp:80,udp"),
            ),
            ('routing = "ports"\nports = "tcp"', "--routing", "ports", "--ports", "tcp"),
            ('routing = "fwmark"\nfwmark = 0x7', "--routing", "fwmark", "--fwmark", "7"),
            ("table = 65\npriority = 1_000", "--table", "65", "--priority", "1000"),
            ('table = "65"', "--table", "65"),
            ('ndp = "none"', "--ndp", "none"),
            ('echo = "kernel"', "--echo", "kernel"),
            ('dad = "defend"', "--dad", "defend"),
            ('na-source = "link-local"', "--na-source", "link-local"),
            ("na-router = 0", "--na-router", "0"),
            ('na-router = "auto"', "--na-router", "auto"),
            ('respond = "hosts"', "--respond", "hosts"),
            ("rate = 1000\nrate-source = 10", "--rate", "1000", "--rate-source", "10"),
            ("local = true\ntrace = true\nyield = true", "--local", "--trace", "--yield"),
            ("local = false\ntrace = false\nyield = false",),
            ("http = 8080", "--http", "8080"),
            ('http = [80, "tcp6:81"]', "--http", "80", "--http", "tcp6:81"),
            ('http = "none"', "--http", "none"),
            ("wait = 30", "--wait", "30"),
            ("wait = 0.5", "--wait", "0.5"),
            ('wait = "1"', "--wait", "1"),
            ('access-log = "none"', "--access-log", "none"),
            ('access-log = "-"',),
            ('state = "/tmp"', "--state", "/tmp"),
        ):
            start = "" if "iface" in text else 'iface = "eth0"\n'
            start += "" if "prefix" in text else 'prefix = "2001:db8::/64"\n'
            options = HostOptions()
            options.parseOptions([*ethernet, *arguments])
            self.assertEqual(self.parsed(start + text), options.settings, text)

    def test_tablesAreInterfaces(self) -> None:
        """
        With options of their own; those at the top are for all that have no others.
        """
        settings = self.parsed(
            'http = [80, 8080]\necho = "kernel"\nrate = 5\nlocal = true\n'
            f'{TWO}\necho = "none"\nlocal = false\nrouting = "ports"\nports = "tcp"'
        )
        first, second = settings.links
        self.assertEqual((first.interface, second.interface), ("eth0", "eth1"))
        self.assertEqual([len(link.prefixes) for link in settings.links], [1, 2])
        self.assertEqual((first.echo, second.echo), (EchoMode.KERNEL, EchoMode.NONE))
        self.assertEqual((first.rate, second.rate, first.local, second.local), (5, 5, True, False))
        self.assertEqual((first.steering.way, second.steering.way), (Way.INPUT, Way.PORTS))
        self.assertEqual(settings.http, (80, 8080))

    def test_pathsAreRelativeToTheFile(self) -> None:
        """
        Wherever the process is.
        """
        os.makedirs(os.path.join(self.directory, "sites", "2001-db8--1"))
        os.makedirs(os.path.join(self.directory, "none"))
        settings = self.parsed('sites = "sites"\nstate = "state"\naccess-log = "log"')
        self.assertEqual(settings.stateDirectory, os.path.join(self.directory, "state"))
        self.assertEqual(settings.accessLog, os.path.join(self.directory, "log"))
        self.assertEqual(len(settings.sites.hosts), 1)
        self.assertEqual(self.parsed('sites = "none"').sites.hosts, ())
        self.assertEqual(self.parsed('access-log = "/log"').accessLog, "/log")

    def test_theSitesAreThoseOfAllInterfaces(self) -> None:
        """
        One tree, and what any of them excludes is no site.
        """
        for name in ("2001-db8--1", "2001-db8-2--1"):
            os.makedirs(os.path.join(self.directory, "sites", name))
        text = f'sites = "sites"\n{TWO}'
        self.assertEqual(len(self.parsed(text).sites.hosts), 2)
        self.assertIn(
            "'2001-db8-2--1' is excluded by ", self.refused(f'{text}exclude = "2001:db8:2::/80"\n')
        )

    def test_privilegesAreThoseThatAllNeedTogether(self) -> None:
        """
        One interface needs a packet socket, another rules.
        """
        self.parsed(
            f'{TWO}\nrouting = "none"\necho = "kernel"\nndp = "none"\n'.replace('"eth0"', '"lo"')
        )
        self.assertEqual(self.options.asked, (True, False, [80]))
        self.parsed(f'http = "none"\nrouting = "none"\n{TWO}\nndp = "none"')
        self.assertEqual(self.options.asked, (True, True, []))


class CommandLineTests(FileCase):
    """
    What is on the command line wins.
    """

    def test_itReplacesWhatTheFileSays(self) -> None:
        """
        Also whole lists, and the one interface.
        """
        text = (
            'iface = "eth0"\nprefix = ["2001:db8::/64", "2001:db8:9::/64"]\nhttp = [80, 81]\n'
            'echo = "none"\ndad = "defend"\naccess-log = "none"\nna-router = "auto"\n'
        )
        settings = self.parsed(
            text,
            *("-i", "eth1", "-p", "2001:db8:1::/64", "--http", "82", "--echo", "kernel"),
            *("--access-log", "-", "--trace"),
        )
        (link,) = settings.links
        self.assertEqual((link.interface, len(link.prefixes)), ("eth1", 1))
        self.assertEqual((settings.http, settings.accessLog), ((82,), "-"))
        self.assertEqual(
            (link.echo, link.dad, link.trace), (EchoMode.KERNEL, DadPolicy.DEFEND, True)
        )
        self.assertIs(link.routerFlag, RouterFlag.AUTO)

    def test_optionsOfInterfacesAreForAllOfThem(self) -> None:
        """
        Whatever their tables say.
        """
        for link in self.parsed(f'{TWO}echo = "none"\n', "--echo", "kernel", "--local").links:
            self.assertEqual((link.echo, link.local), (EchoMode.KERNEL, True))

    def test_anotherWayOfRoutingTakesItsOptionsWithIt(self) -> None:
        """
        The ports of the file are those of its own way; so it is between a table and the top.
        """
        ports = 'routing = "ports"\nports = "tcp:80"\n'
        for way in ("input", "none"):
            self.assertEqual(self.link(ports, "--routing", way).steering.services, ())
        self.assertEqual(len(self.link(ports, "--routing", "ports").steering.services), 1)
        first, second = self.parsed(f'{ports}{TWO}routing = "fwmark"\nfwmark = 9').links
        self.assertEqual((first.steering.way, len(first.steering.services)), (Way.PORTS, 1))
        self.assertEqual((second.steering.way, second.steering.services), (Way.FWMARK, ()))
        self.assertEqual(second.steering.numbers.mark, 9)
        self.assertEqual(
            self.refused('ports = "tcp:80"', "--routing", "input"),
            'FILE: ports = "tcp:80" needs --routing ports',
        )

    def test_itNamesNoInterfaceBesideTables(self) -> None:
        """
        Nobody could tell which one is meant.
        """
        for option, value in (
            ("iface", "eth0"),
            ("prefix", "2001:db8::/64"),
            ("exclude", "2001:db8::1"),
            ("forward", "auto"),
        ):
            self.assertEqual(
                self.refused(TWO, f"--{option}", value),
                f"--{option} contradicts the [[interface]] tables of FILE: leave it out, or "
                "change the file",
            )

    def test_itsOwnMistakesAreAsWithoutAFile(self) -> None:
        """
        Those of the file have their place, also beside options that were typed.
        """
        self.assertIn("--echo 'x': choose one of", self.refused(TWO, "--echo", "x"))
        self.assertFalse(self.refused(TWO, "--echo", "x").startswith("FILE"))
        ports = 'routing = "ports"\nports = "udp"\n'
        end = ", so that nobody would reach it: add tcp:81"
        self.assertEqual(
            self.refused(ports, "--http", "81"), f'FILE: --http 81 is in none of ports = "udp"{end}'
        )
        self.assertEqual(
            self.refused("http = 81", "--routing", "ports", "--ports", "udp"),
            f"FILE: http = 81 is in none of --ports udp{end}",
        )
        self.assertEqual(
            self.refused(f"http = 81\n{TWO}{ports}"),
            f'FILE: http = 81 is in none of ports = "udp"{end}',
        )


class UnreadableFileTests(FileCase):
    """
    A file that is no TOML.
    """

    def assertUnreadable(self, text: str | bytes, *words: str) -> None:
        """
        The line names the file, and has the words.
        """
        line = self.refused(text)
        self.assertTrue(line.startswith("--config 'FILE'"), line)
        for word in words:
            self.assertIn(word, line)

    def test_itIsMissing(self) -> None:
        """
        Or a directory, or has no name.
        """
        for path, words in (
            (os.path.join(self.directory, "none"), "No such file or directory: name a file"),
            (self.directory, "Is a directory"),
            (os.path.join(self.directory, "a\nb"), "a\\nb': No such file"),
        ):
            error = str(self.assertRaises(ConfigError, readConfigFile, path))
            self.assertIn(f"--config {path!r}: ", error)
            self.assertIn(words, error)
        error = str(self.assertRaises(ConfigError, readConfigFile, ""))
        self.assertEqual(error, "--config '': name a file, or leave the option out")

    def test_itIsTooLarge(self) -> None:
        """
        By a byte.
        """
        self.parsed("#" * LARGEST_FILE)
        self.assertUnreadable(
            "#" * (LARGEST_FILE + 1), "more than 1,048,576 bytes: make it shorter"
        )

    def test_itIsNoUtf8(self) -> None:
        """
        The line is named.
        """
        self.assertUnreadable(b"# one\n# two\n# \xff\n", "line 3 is not UTF-8")

    def test_itIsNoToml(self) -> None:
        """
        With line and column.
        """
        self.assertUnreadable("a = 1\nb\n", "is not TOML", "line 2, column 2")
        self.assertUnreadable("a = 1\na = 2\n", "is not TOML", "line 2")
        self.assertUnreadable('a = "x', "is not TOML")
        self.assertUnreadable(f'"{"x" * 9000}"]', "is not TOML", "column 9003")
        self.assertUnreadable("a = 1\x00\n", "is not TOML", "line 1")

    def test_itIsMoreThanCanBeRead(self) -> None:
        """
        Brackets in brackets, a number of many digits.
        """
        for text in ("a = " + "[" * 100_000, "a = " + "9" * 5000):
            self.assertUnreadable(text, "a number that is too long, or too many brackets")


class MistakeTests(FileCase):
    """
    A key that nobody reads, or a value that cannot be: one line with the place.
    """

    def assertSaid(self, *cases: tuple[str, str]) -> None:
        """
        Of each text, exactly that is said.
        """
        for text, line in cases:
            self.assertEqual(self.refused(text), f"FILE: {line}", text)

    def test_aKeyThatNobodyReads(self) -> None:
        """
        The nearest that there is is suggested; if none is near, all are named.
        """
        self.assertSaid(
            ("prefixes = 1", "nobody reads the key prefixes: did you mean prefix?"),
            ("Echo = 1", "nobody reads the key Echo: did you mean echo?"),
            ("na_source = 1", "nobody reads the key na_source: did you mean na-source?"),
            ("config = 1", f"nobody reads the key config: {self.listed(OF_PROCESS, OF_LINK)}"),
            (f"{TWO}ech = 1", "[[interface]] 2: nobody reads the key ech: did you mean echo?"),
            (f"{TWO}zzz = 1", f"[[interface]] 2: nobody reads the key zzz: {self.listed(OF_LINK)}"),
            ('"a\\nb" = 1', f"nobody reads the key 'a\\nb': {self.listed(OF_PROCESS, OF_LINK)}"),
        )
        self.assertLess(len(self.refused(f"{'x' * 9000} = 1")), 500)

    def listed(self, *names: tuple[str, ...]) -> str:
        return "there are: " + ", ".join(name for some in names for name in some)

    def test_aTableThatNobodyReads(self) -> None:
        """
        Or one in the place of an array of tables.
        """
        self.assertSaid(
            ("[server]", "nobody reads the table [server]: there are: [[interface]]"),
            ("[[interfaces]]", "nobody reads the table [interfaces]: did you mean [[interface]]?"),
            ("[interface]", "interface: write each interface as a table, [[interface]]"),
            ('interface = "eth0"', "interface: write each interface as a table, [[interface]]"),
            ("interface = [1]", "interface: write each interface as a table, [[interface]]"),
            (f"{TWO}[interface.x]", "[[interface]] 2: nobody reads the table [x]: leave it out"),
        )

    def test_aKeyOfTheProcessInATable(self) -> None:
        """
        That is how TOML takes what stands below a table.
        """
        for name in OF_PROCESS:
            self.assertSaid(
                (
                    f"{TWO}{name} = 1",
                    f"[[interface]] 2: {name} is for the whole process: move it to the top, "
                    "before the first [[interface]]",
                )
            )

    def test_aKeyOfATableAtTheTop(self) -> None:
        """
        Beside tables; without them it is where it belongs.
        """
        for name in ("iface", "prefix", "exclude", "forward"):
            self.assertSaid(
                (
                    f'{name} = "x"\n{TWO}',
                    f"{name}: with [[interface]] tables it belongs into one of these",
                )
            )

    def test_aValueOfAnotherKind(self) -> None:
        """
        The line says what to give.
        """
        text, texts = "a text in quotes", "a text in quotes, or an array of such"
        self.assertSaid(
            ('local = "yes"', "local = 'yes': give true or false"),
            ("local = 1", "local = 1: give true or false"),
            ("prefix = 5", f"prefix = 5: give {texts}"),
            ("prefix = [[]]", f"prefix has an array in it: give {texts}"),
            ('prefix = ["x", 5]', f"prefix has 5 in it: give {texts}"),
            ("prefix.x = 5", f"prefix is a table: give {texts}"),
            ("iface = true", f"iface = true: give {text}"),
            ("echo = []", f"echo is an array: give {text}"),
            ("table = 64.0", "table = 64.0: give a whole number, or a text in quotes"),
            ("rate = false", "rate = false: give a whole number, or a text in quotes"),
            ("http = true", f"http = true: give a port, {texts}"),
            ("http = 1.5", f"http = 1.5: give a port, {texts}"),
            ("http = [80, 1979-05-27]", f"http has 1979-05-27 in it: give a port, {texts}"),
            ("wait = 07:32:00", "wait = 07:32:00: give seconds as a number"),
            ("sites = 1", "sites = 1: give a path as a text in quotes"),
            ("ports = 80", f'ports = 80: give {texts[:-4]}such, as ["tcp:80", "udp"]'),
            (f"table = 0x{'f' * 6000}", "table = a number of more than 64 bits: give a whole "
             "number, or a text in quotes"),
        )  # fmt: skip

    def test_aTextThatNoOptionCanHave(self) -> None:
        """
        The kernel ends names and paths at a NUL.
        """
        for value in ('"a\\u0000b"', f'"{"x" * (LONGEST_TEXT + 1)}"'):
            line = "has a text of more than 4,096 characters, or with a NUL"
            self.assertSaid(
                (f"sites = {value}", f"sites {line}"),
                (f"http = [80, {value}]", f"http {line}"),
                (f"{TWO}echo = {value}", f"[[interface]] 2: echo {line}"),
            )

    def test_aValueThatCannotBe(self) -> None:
        """
        As the command line's, but for the place.
        """
        self.assertSaid(
            ("echo = 'x'", "echo = 'x': choose one of protocol, kernel, none"),
            (f"echo = 'x'\n{TWO}", "echo = 'x': choose one of protocol, kernel, none"),
            (
                f"{TWO}echo = 'x'",
                "[[interface]] 2: echo = 'x': choose one of protocol, kernel, none",
            ),
            ("rate = -1", "rate = '-1': give answers a second, or 0 for no limit: 0 to 1,000,000"),
            ("wait = inf", "wait = 'inf': give seconds from 0 to 86400"),
            ("http = 0", "http = 0: a port is from 1 to 65535"),
            ("http = ['none', 80]", 'http = "none" contradicts another http: leave one out'),
            ("prefix = ''", "prefix '' is no IPv6 prefix"),
            ("exclude = '::1'", 'exclude = "::1" is in none of the prefixes (2001:db8::/64): '
             "leave it out"),
            ("state = ''", "state = '': name a path, or leave the option out"),
            ("ports = 'x\\u000a'".replace("'", '"'), "ports = 'x\\n' needs routing = \"ports\""),
            ("iface = 'eth9'", "iface = 'eth9': there is no such interface"),
            ("iface = 'eth0'", 'iface = "eth0" needs prefix: the prefix that arrives there, such '
             'as prefix = "2001:db8::/64"'),
            ("echo = 'protocol'", "echo = \"protocol\" needs an Ethernet interface, and 'lo' is "
             'none: leave echo to the kernel (echo = "kernel")'),
            (TWO.replace("eth1", "eth9"), "[[interface]] 2: iface = 'eth9': there is no such "
             "interface"),
            (TWO.replace("eth1", "ppp0") + "echo = 'protocol'",
             "[[interface]] 2: echo = \"protocol\" needs an Ethernet interface, and 'ppp0' is "
             'none: leave echo to the kernel (echo = "kernel")'),
        )  # fmt: skip
        self.assertIn(
            f"FILE: sites = '{self.directory}/none': No such file",
            self.refused("sites = 'none'"),
        )


class TogetherTests(FileCase):
    """
    Interfaces that contradict each other.
    """

    def test_oneTwice(self) -> None:
        """
        By the same name, or by another one of its names.
        """
        for name in ("eth1", "lan1"):
            text = f'{TWO}[[interface]]\niface = "{name}"\nprefix = "2001:db8:9::/64"\n'
            self.assertEqual(
                self.refused(text),
                "FILE: [[interface]] 3: iface = 'eth1' is there already: give it one table, with "
                "all its prefixes",
            )

    def test_prefixesThatOverlap(self) -> None:
        """
        Whichever of them is the shorter; the later place is named.
        """
        for first, second in (
            ("2001:db8::/64", "2001:db8::/64"),
            ("2001:db8::/48", "2001:db8:0:1::/64"),
            ("2001:db8:0:1::/64", "2001:db8::/48"),
        ):
            text = TWO.replace("2001:db8::/64", first).replace("2001:db8:1::/64", second)
            self.assertEqual(
                self.refused(text),
                f'FILE: [[interface]] 2: prefix = "{second}" overlaps with {first} of eth0: leave '
                "one out",
            )

    def test_marksThatLeadToOneTable(self) -> None:
        """
        Another table is another place for their routes; the usual way may share one with marks.
        """
        text = TWO.replace('"eth0"', '"eth0"\nrouting = "fwmark"')
        self.assertEqual(
            self.refused(f'{text}routing = "fwmark"\nfwmark = 65'),
            'FILE: [[interface]] 2: routing = "fwmark" leads to table 64, as that of eth0 does: '
            "give this one another table",
        )
        self.assertEqual(len(self.parsed(f'{text}routing = "fwmark"\ntable = 65').links), 2)
        self.assertEqual(len(self.parsed(text).links), 2)

    def test_prioritiesInOneTable(self) -> None:
        """
        What a crash leaves there is told apart by them.
        """
        self.assertEqual(
            self.refused(f"{TWO}priority = 70"),
            "FILE: [[interface]] 2: priority = 70 in table 64, where eth0 has 64: give this one "
            "another table, or the same priority",
        )
        self.assertEqual(len(self.parsed(f"{TWO}priority = 70\ntable = 65").links), 2)
        self.assertEqual(len(self.parsed(f'{TWO}priority = 70\nrouting = "none"').links), 2)

    def test_itIsSaidBeforeTheWait(self) -> None:
        """
        Nobody waits for an hour to be told of it.
        """
        text = TWO.replace("2001:db8:1::/64", "2001:db8::/64").replace("eth1", "eth9")
        self.assertIn("overlaps with", self.refused(f"wait = 3600\n{text}"))
        self.assertIn("no such interface", self.refused(text))

    def test_whatATableLacks(self) -> None:
        """
        An interface, or a prefix, on loopback too.
        """
        for text, line in (
            ('[[interface]]\nprefix = "2001:db8::/64"', 'iface is missing: add iface = "eth0"'),
            ('[[interface]]\niface = "lo"', 'prefix is missing: add prefix = "2001:db8::/64"'),
            (
                '[[interface]]\niface = "lo"\nprefix = []',
                'prefix is missing: add prefix = "2001:db8::/64"',
            ),
        ):
            self.assertEqual(self.refused(text), f"FILE: [[interface]] 1: {line}")

    def test_tooMany(self) -> None:
        """
        Each has sockets and routes of its own.
        """
        tables = [
            f'[[interface]]\niface = "eth{n}"\nprefix = "2001:db8:{n:x}::/64"\n'
            for n in range(MOST_INTERFACES + 1)
        ]
        self.assertEqual(self.refused("".join(tables)), "FILE: 65 [[interface]] tables: at most 64")
        self.assertEqual(len(readConfigFile(self.write("".join(tables[:-1]))).tables), 64)


def written(value: Any) -> str:
    """
    A value as TOML has it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(k)} = {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


KEYS = st.sampled_from([*OF_LINK, *OF_PROCESS, "interface"])
WRITTEN = """eth0 eth1 lo 2001:db8::/64 2001:db8:1::/64 2001:db8::1 auto none kernel protocol
ports fwmark tcp:80 udp hosts - 80 {0} {"""
WORDS = st.sampled_from(WRITTEN.split())
TEXTS = WORDS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = (
    TEXTS
    | st.booleans()
    | st.integers(-10, 1 << 70)
    | st.floats()
    | st.dates()
    | st.times()
    | st.datetimes()
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    max_leaves=8,
)
TABLES = st.lists(st.dictionaries(KEYS | TEXTS, PLAIN, max_size=6), max_size=3)
DOCUMENTS = st.builds(
    lambda top, tables: {**top, **({"interface": tables} if tables else {})},
    st.dictionaries(KEYS | TEXTS, VALUES, max_size=6),
    TABLES,
)


class AnyDocumentTests(FileCase):
    """
    Whatever is written.
    """

    @settings(max_examples=300, deadline=None)
    @given(DOCUMENTS)
    def test_aDocumentIsReadOrRefusedInOneLine(self, document: dict[str, Any]) -> None:
        """
        Nothing but the errors that are meant to be comes out, and each is one line.
        """
        text = "\n".join(f"{written(key)} = {written(value)}" for key, value in document.items())
        try:
            self.parsed(text)
        except usage.UsageError as error:
            self.assertTrue(str(error).isprintable(), error)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200) | TEXTS.map(str.encode))
    def test_anyBytesAreReadOrRefused(self, content: bytes) -> None:
        """
        Also those that are no TOML.
        """
        try:
            self.assertIsInstance(readConfigFile(self.write(content)), ConfigFile)
        except ConfigError as error:
            self.assertTrue(str(error).isprintable(), error)


class NdppdTests(FileCase):
    """
    What C{prefix64 import-ndppd} writes.
    """

    def test_itIsRead(self) -> None:
        """
        With everything that can be in it.
        """
        prefixes = [parsePrefix(f"2001:db8:{number}::/64") for number in range(9)]
        served = [
            Served("eth0", True, prefixes, [parsePrefix("2001:db8::1")], [prefixes[1]], True),
            Served("eth1", False, [parsePrefix("2001:db8:ff::/64")]),
        ]
        settings = self.parsed("\n".join(toml(served)))
        self.assertEqual([link.interface for link in settings.links], ["eth0", "eth1"])
        self.assertEqual(settings.links[0].prefixes, tuple(prefixes))
        self.assertEqual(settings.http, ())


class DocumentationTests(FileCase):
    """
    The example of the documentation.
    """

    def test_theExampleIsTrue(self) -> None:
        """
        It is read, has every key (some as a comment), and says what its comments say.
        """
        example = DOCUMENTATION.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
        os.makedirs(os.path.join(self.directory, "sites"))
        settings = self.parsed(example.replace('"/srv/prefix64"', '"sites"'))
        first, second = settings.links
        self.assertEqual((first.interface, second.interface), ("eth0", "eth1"))
        self.assertEqual((first.echo, second.echo), (EchoMode.KERNEL, EchoMode.PROTOCOL))
        self.assertEqual(len(second.prefixes), 2)
        self.assertIs(second.steering.way, Way.PORTS)
        lines = [line.lstrip("# ") for line in example.splitlines()]
        keys = {line.partition(" = ")[0] for line in lines if " = " in line}
        self.assertEqual({*OF_LINK, *OF_PROCESS} - keys, set())
        # What is commented out is right, too.
        every = [line for line in lines if line.partition(" = ")[0] in {*OF_LINK, *OF_PROCESS}]
        for line in every:
            name = line.partition(" = ")[0]
            if name not in (*OF_TABLES, "routing", "ports", "fwmark", "sites"):
                self.parsed(f'iface = "eth0"\nprefix = "2001:db8::/64"\n{line}')

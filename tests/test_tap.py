"""
The command line of C{twistd prefix64}: every option, and one line for every kind of mistake.
"""

from __future__ import annotations

import builtins
import io
import os
import sys

from twisted.application.service import IService
from twisted.python import usage
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from prefix64 import privileges
from prefix64.addressing import parsePrefix
from prefix64.errors import InterfaceError, PrivilegeError
from prefix64.hosts.model import Host, StaticSite
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy, RouterFlag
from prefix64.kernel.messages import Link
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.options.values import MOST_PREFIXES, defaultStateDirectory, findLink, shortened
from prefix64.settings import EchoMode, Launch, LinkSettings, Settings
from prefix64.tap import Options, makeService
from prefix64.testing import MemoryKernel
from tests.support import skipBecause

ETHERNET = ("--iface", "eth0", "--prefix", "2001:db8::/64")


def memoryLink(name: str, wait: float = 0.0, left: float | None = None) -> Link:
    """
    Find an interface of a kernel in memory.
    """
    link = MemoryKernel().link(name)
    if link is None:
        waited = f" (waited {wait})" if wait else ""
        raise InterfaceError(f"--iface {name!r}: there is no such interface{waited}")
    return link


class IsolatedOptions(Options):
    """
    The options, on a host that has C{lo} and C{eth0}, and every privilege.
    """

    findLink = staticmethod(memoryLink)
    checkPrivileges = staticmethod(lambda admin, packets, ports: None)


class UnprivilegedOptions(IsolatedOptions):
    """
    The same, with the privileges that the process is said to have.
    """

    checkPrivileges = staticmethod(privileges.checkPrivileges)


class OptionsCase(SynchronousTestCase):
    """
    What reads options.
    """

    optionsClass: type[Options] = IsolatedOptions

    def parsed(self, *arguments: str, under: ServerOptions | None = None) -> Settings:
        options = self.optionsClass()
        options.parent = under
        options.parseOptions(list(arguments))
        return options.settings

    def link(self, *arguments: str) -> LinkSettings:
        """
        The settings of the one interface.
        """
        (link,) = self.parsed(*arguments).links
        return link

    def twistd(self, *arguments: str) -> ServerOptions:
        """
        twistd's own options, as it gives them to its subcommand.
        """
        options = ServerOptions()
        options.parseOptions(list(arguments))
        return options


class GoodOptionsTests(OptionsCase):
    """
    What is asked for is what is set.
    """

    def test_withoutOptionsTheDocumentationPrefixIsServedOnLoopback(self) -> None:
        """
        2001:db8::/64 (RFC 3849), port 80, the log of twistd.
        """
        expected = Settings(stateDirectory=defaultStateDirectory())
        self.assertEqual(self.parsed(), expected)
        self.assertEqual((expected.http, expected.accessLog), ((80,), "-"))
        (link,) = expected.links
        self.assertEqual((link.interface, link.prefixes), ("lo", (parsePrefix("2001:db8::/64"),)))
        self.assertEqual((link.echo, link.dad), (None, DadPolicy.AUTO))
        self.assertTrue(link.reachableFromHere)

    def test_anInterfaceAndItsPrefixes(self) -> None:
        """
        In the order in which they were given; short forms too.
        """
        settings = self.link("-i", "eth0", "-p", "2001:db8:2::/48", "--prefix", "2001:db8::/64")
        self.assertEqual(settings.interface, "eth0")
        texts = [str(prefix) for prefix in settings.prefixes]
        self.assertEqual(texts, ["2001:db8:2::/48", "2001:db8::/64"])
        self.assertFalse(settings.reachableFromHere)

    def test_loopbackMayHaveAnotherPrefix(self) -> None:
        """
        The default is a default.
        """
        settings = self.link("--prefix", "fd00:64::/64")
        self.assertEqual([str(prefix) for prefix in settings.prefixes], ["fd00:64::/64"])

    def test_excludedAddressesAndBlocks(self) -> None:
        """
        The same one twice is one.
        """
        given_ = ("2001:db8::1", "2001:db8::ab00/120", "2001:db8::1/128")
        arguments = [word for text in given_ for word in ("--exclude", text)]
        excluded = self.link(*ETHERNET, *arguments).excluded
        self.assertEqual([str(block) for block in excluded], ["2001:db8::1", "2001:db8::ab00/120"])

    def test_httpIsPortsAndEndpoints(self) -> None:
        """
        What is given replaces port 80.
        """
        endpoint = r"tcp6:8080:interface=\:\:1"
        self.assertEqual(self.parsed("--http", "8080").http, (8080,))
        self.assertEqual(self.parsed("--http", "1", "--http", endpoint).http, (1, endpoint))
        self.assertEqual(self.parsed("--http", "65535").http, (65535,))

    def test_httpTwiceInOnePlaceIsOnce(self) -> None:
        """
        The second could not listen there; the order stays.
        """
        endpoint = r"tcp6:8080:interface=\:\:1"
        given_ = ("81", endpoint, "80", "81", "080", endpoint)
        arguments = [word for text in given_ for word in ("--http", text)]
        self.assertEqual(self.parsed(*arguments).http, (81, endpoint, 80))
        self.assertEqual(self.parsed("--http", "none", "--http", "none").http, ())

    def test_httpNoneIsNoHttp(self) -> None:
        """
        The user's own web server has the port.
        """
        self.assertEqual(self.parsed("--http", "none").http, ())

    def test_echoDadAndTheSourceOfAdvertisements(self) -> None:
        """
        Each of their words.
        """
        for mode in EchoMode:
            self.assertIs(self.link(*ETHERNET, "--echo", mode.value).echo, mode)
        for policy in DadPolicy:
            self.assertIs(self.link("--dad", policy.value).dad, policy)
        for source in AdvertisementSource:
            settings = self.link("--na-source", source.value)
            self.assertIs(settings.advertisementSource, source)
        for flag in RouterFlag:
            self.assertIs(self.link("--na-router", flag.value).routerFlag, flag)

    def test_waitForTheInterface(self) -> None:
        """
        From nothing to a day, and parts of a second; the settings are the same then.
        """
        for text in ("0", "0.0", "0.25", "30", "86400", "86400.000"):
            self.assertEqual(self.parsed("--wait", text, *ETHERNET), self.parsed(*ETHERNET))

    def test_whoIsAnsweredForAndHowOften(self) -> None:
        """
        Everybody without a limit, if nothing else is said.
        """
        settings = self.link(*ETHERNET)
        self.assertIs(settings.respond, RespondPolicy.ALL)
        self.assertEqual((settings.rate, settings.sourceRate), (0, 0))
        arguments = (*ETHERNET, "--respond", "hosts", "--rate", "1000000", "--rate-source", "1")
        settings = self.link(*arguments)
        self.assertIs(settings.respond, RespondPolicy.HOSTS)
        self.assertEqual((settings.rate, settings.sourceRate), (1_000_000, 1))

    def test_flags(self) -> None:
        """
        Off, if they are not given.
        """
        settings = self.link(*ETHERNET)
        self.assertEqual((settings.local, settings.trace, settings.yields), (False, False, False))
        settings = self.link(*ETHERNET, "--local", "--trace", "--yield")
        self.assertEqual((settings.local, settings.trace, settings.yields), (True, True, True))
        self.assertTrue(settings.reachableFromHere)

    def test_relativePathsAreMadeAbsolute(self) -> None:
        """
        twistd changes its directory later.
        """
        base = self.mktemp()
        os.makedirs(os.path.join(base, "sites", "2001-db8--1"))
        settings = self.parsed(
            *("--sites", os.path.join(base, "sites"), "--state", os.path.join(base, "state")),
            *("--access-log", os.path.join(base, "access.log")),
        )
        here = os.path.abspath(base)
        self.assertEqual(settings.stateDirectory, os.path.join(here, "state"))
        self.assertEqual(settings.accessLog, os.path.join(here, "access.log"))
        root = os.path.realpath(os.path.join(here, "sites", "2001-db8--1"))
        host = Host(parsePrefix("2001:db8::1"), StaticSite(root))
        self.assertEqual(settings.sites.hosts, (host,))
        self.assertFalse(os.path.exists(settings.stateDirectory), "nothing is made yet")

    def test_theAccessLogMayBeTwistdsOrNone(self) -> None:
        """
        These two words are no paths.
        """
        for word in ("-", "none"):
            self.assertEqual(self.parsed("--access-log", word).accessLog, word)

    def test_theVersionIsPrinted(self) -> None:
        """
        prefix64's own and Twisted's, and that is all.
        """
        self.patch(sys, "stdout", io.StringIO())
        error = self.assertRaises(SystemExit, self.parsed, "--version")
        self.assertEqual(error.code, 0)
        self.assertRegex(sys.stdout.getvalue(), r"^prefix64 \d\S*, Twisted \d+\.\S+\n$")

    def test_howTwistdWasStartedIsKnown(self) -> None:
        """
        In the foreground or not, where its log goes, its pid file.
        """
        pidFile = os.path.abspath(self.mktemp())
        for arguments, daemonized, logsToTerminal in (
            ((), True, False),
            (("-n",), False, True),
            (("-n", "--logfile=x.log"), False, False),
            (("-n", "--logfile=-"), False, True),
            (("-n", "--syslog"), False, False),
        ):
            settings = self.parsed(under=self.twistd(*arguments, f"--pidfile={pidFile}"))
            self.assertEqual(settings.launch, Launch(daemonized, logsToTerminal, pidFile))

    def test_withoutTwistdItIsInTheForeground(self) -> None:
        """
        As in a test.
        """
        self.assertEqual(self.parsed().launch, Launch(False, True, ""))

    def test_theServiceIsMadeOfTheSettings(self) -> None:
        """
        Nothing is opened yet.
        """
        options = IsolatedOptions()
        options.parseOptions(["--http", "none"])
        self.assertTrue(verifyObject(IService, makeService(options)))


class BadOptionsTests(OptionsCase):
    """
    A mistake is one line that names the value and says what to do.
    """

    def refused(self, *arguments: str, twistd: tuple[str, ...] = ("-n",)) -> str:
        """
        Without twistd a L{usage.UsageError}; under it, a L{SystemExit} with the same line.

        @return: the line.
        """
        if twistd == ("-n",):
            alone = self.assertRaises(usage.UsageError, self.parsed, *arguments)
        parent = self.twistd(*twistd)
        under = self.assertRaises(SystemExit, self.parsed, *arguments, under=parent)
        line = str(under.code)
        if twistd == ("-n",):
            self.assertEqual(line, f"prefix64: {alone}")
        self.assertEqual(len(line.splitlines()), 1, line)
        self.assertTrue(line.startswith("prefix64: "))
        return line

    def assertRefused(self, arguments: tuple[str, ...], *words: str) -> None:
        """
        The line has all of the words.
        """
        line = self.refused(*arguments)
        for word in words:
            self.assertIn(word, line)

    def test_anUnknownInterface(self) -> None:
        """
        By its name.
        """
        self.assertRefused(("--iface", "eth9", "-p", "2001:db8::/64"), "--iface 'eth9'")
        self.assertRefused(("--iface", ""), "--iface ''")

    def test_anInterfaceWithoutAPrefix(self) -> None:
        """
        The documentation prefix is for loopback only.
        """
        self.assertRefused(("--iface", "eth0"), "--iface eth0 needs --prefix")

    def test_aPrefixThatIsNone(self) -> None:
        """
        Of every kind.
        """
        for text, *words in (
            ("2001:db8::1/64", "has host bits set", "2001:db8::/64"),
            ("192.0.2.0/24", "is IPv4"),
            ("fe80::/64", "is link-local"),
            ("ff02::/64", "is multicast"),
            ("::1/128", "length 128"),
            ("::/96", "loopback"),
            ("::ffff:192.0.2.0/120", "is IPv4-mapped"),
            ("2001::/31", "length 31", "32 to 127"),
            ("2001:db8::1/128", "length 128", "32 to 127"),
            ("2001:db8::", "has no prefix length"),
            ("2001:db8::1", "has no prefix length", "did you mean 2001:db8::/64?"),
            ("2001:db8::/129", "is no IPv6 prefix"),
            ("fe80::%eth0/64", "scope"),
            ("", "is no IPv6 prefix"),
            ("cafe", "is no IPv6 prefix"),
            ("a\nb", "is no IPv6 prefix"),
        ):
            self.assertRefused(("-i", "eth0", "-p", text), f"--prefix {text!r}", *words)

    def test_prefixesThatOverlap(self) -> None:
        """
        Both are named; the same one twice, too.
        """
        for one, other in (
            ("2001:db8::/64", "2001:db8::/48"),
            ("2001:db8::/48", "2001:db8::/64"),
            ("2001:db8::/64", "2001:db8::/64"),
        ):
            arguments = ("-p", one, "-p", other)
            self.assertRefused(arguments, f"--prefix {one} and --prefix {other} overlap")

    def test_tooManyPrefixes(self) -> None:
        """
        The kernel's filter has a test for each.
        """
        texts = [f"2001:db8:{number:x}::/64" for number in range(MOST_PREFIXES + 1)]
        arguments = [word for text in texts for word in ("-p", text)]
        self.assertEqual(len(self.parsed(*arguments[:-2]).prefixes), MOST_PREFIXES)
        self.assertRefused(tuple(arguments), f"{MOST_PREFIXES + 1} prefixes", str(MOST_PREFIXES))

    def test_anExcludedAddressThatIsNone(self) -> None:
        """
        Of every kind.
        """
        for text, words in (
            ("2001:db8::1/64", "host bits"),
            ("192.0.2.1", "is IPv4"),
            ("x", "is no IPv6 address or prefix"),
            ("", "is no IPv6 address or prefix"),
        ):
            self.assertRefused(("--exclude", text), f"--exclude {text!r}", words)

    def test_anExcludedAddressOutsideThePrefixes(self) -> None:
        """
        It would have no effect.
        """
        arguments = ("--exclude", "2001:db8:1::1")
        self.assertRefused(arguments, "--exclude 2001:db8:1::1 is in none", "2001:db8::/64")

    def test_excludingEverything(self) -> None:
        """
        The prefix itself, or a longer block that holds it.
        """
        for text, named in (("2001:db8::/64", "2001:db8::/64"), ("2001:db8::/32", "the prefix")):
            self.assertRefused(("--exclude", text), "--exclude ", f"leaves nothing of {named}")

    def test_excludingEverythingInPieces(self) -> None:
        """
        Blocks that together hold a prefix; of several prefixes, one is enough. Where an address is
        left, it is no mistake.
        """
        halves = ("--exclude", "2001:db8::/65", "--exclude", "2001:db8::8000:0:0:0/65")
        line = "--exclude leaves nothing of 2001:db8::/64: exclude less"
        self.assertRefused(halves, line)
        self.assertRefused((*halves, "--exclude", "2001:db8::1"), line)
        second = ("-p", "2001:db8:0:1::/64")
        self.assertRefused(("-p", "2001:db8::/64", *second, *halves), line)
        both = ("--exclude", "2001:db8::/64", "--exclude", "2001:db8:0:1::/64")
        self.assertRefused(("-p", "2001:db8::/64", *second, *both), line)
        excluded = self.link(*halves[:2], "--exclude", "2001:db8::1").excluded
        self.assertEqual([str(b) for b in excluded], ["2001:db8::/65", "2001:db8::1"])

    def test_httpThatIsNoPortAndNoEndpoint(self) -> None:
        """
        By its value.
        """
        for text in ("0", "65536", "99999999999999999999"):
            self.assertRefused(("--http", text), f"--http {text}: a port is from 1 to 65535")
        line = self.refused("--http", "9" * 5000)
        self.assertIn("a port is from 1 to 65535", line)
        self.assertLess(len(line), 100)
        for text in ("-1", "", " 80", "80x", "web", "tcp:web", "unix", "tcp:\n"):
            self.assertRefused(
                ("--http", text), f"--http {text!r} is no port", "give a port, an endpoint"
            )

    def test_httpNoneAndAPort(self) -> None:
        """
        One contradicts the other, whichever comes first.
        """
        for order in (("none", "80"), ("80", "none")):
            arguments = tuple(word for text in order for word in ("--http", text))
            self.assertRefused(arguments, "--http none contradicts another --http")

    def test_aWordThatIsNoChoice(self) -> None:
        """
        The line has the choices.
        """
        for option, words in (
            ("echo", "protocol, kernel, none"),
            ("dad", "auto, defend, ignore"),
            ("na-source", "target, link-local"),
            ("na-router", "0, auto"),
            ("respond", "all, hosts"),
        ):
            for text in ("yes", "", "PROTOCOL", "a\nb"):
                arguments = (f"--{option}", text)
                self.assertRefused(arguments, f"--{option} {text!r}: ", f"one of {words}")

    def test_aWaitThatIsNoNumberOfSeconds(self) -> None:
        """
        Nor of any other notation: the line says what is taken.
        """
        for text in ("", "-1", "86400.1", "86401", "nan", "inf", "1e3", "30s", "0x10", " 1", "1_0"):
            self.assertRefused(("--wait", text), f"--wait {text!r}: give seconds from 0 to 86400")
        for text in ("\u0663", ".5", "5.", "1" * 300, "1." + "1" * 300, "a\nb"):
            self.assertRefused(("--wait", text), f"--wait {shortened(text)!r}: give seconds")

    def test_whatIsWrongIsSaidBeforeTheWait(self) -> None:
        """
        Nobody waits for an hour to be told of a mistake in another option; without a wait a missing
        interface is named first.
        """
        wrong = ("--iface", "eth7", "--prefix", "2001:db8::/64", "--dad", "never")
        self.assertRefused(("--wait", "3600", *wrong), "--dad 'never'")
        self.assertRefused(("--wait", "0", *wrong), "--iface 'eth7': there is no such interface")
        right = ("--iface", "eth7", "--prefix", "2001:db8::/64")
        self.assertRefused(("--wait", "3600", *right), "--iface 'eth7'", "(waited 3600.0)")

    def test_aLimitThatIsNone(self) -> None:
        """
        Whole numbers only, and no more than a million.
        """
        for option in ("rate", "rate-source"):
            for text in ("-1", "1.5", "", "many", "1000001", "9" * 5000, "\u0661"):
                arguments = (f"--{option}", text)
                self.assertRefused(
                    arguments, f"--{option} {shortened(text)!r}: give answers a second", "0 for no"
                )

    def test_echoByTheProtocolOnLoopback(self) -> None:
        """
        There are no frames to see.
        """
        self.assertRefused(("--echo", "protocol"), "--echo protocol", "Ethernet", "'lo'")

    def test_sitesThatCannotBeRead(self) -> None:
        """
        A missing directory, and a name in it that is no address.
        """
        base = os.path.abspath(self.mktemp()) + "\n"
        self.assertRefused(("--sites", base), f"--sites {base!r}: No such file")
        os.makedirs(os.path.join(base, "www"))
        self.assertRefused(("--sites", base), f"--sites {base!r}: ", "'www'")

    def test_aPathThatIsEmpty(self) -> None:
        """
        It would be the directory that twistd happens to be in.
        """
        for option in ("sites", "state", "access-log"):
            arguments = (f"--{option}", "")
            self.assertRefused(arguments, f"--{option} '': name a path, or leave the option out")

    def test_anAccessLogThatCannotBeWritten(self) -> None:
        """
        A directory, or a file in one that is missing.
        """
        base = self.mktemp()
        os.mkdir(base)
        for path in (
            base,
            os.path.join(base, "none", "access.log"),
            os.path.join(base, "a\nb", "c"),
        ):
            self.assertRefused(("--access-log", path), f"--access-log {path!r}", "name a file")

    def test_whatIsNoOption(self) -> None:
        """
        An unknown option, one without its value, a word too many.
        """
        self.assertRefused(("--prefixes", "2001:db8::/64"), "--prefixes")
        self.assertRefused(("--iface",), "--iface")
        self.assertRefused(("--local=yes",), "--local")
        self.assertRefused(("eth0",), "'eth0' is no option")

    def test_twistdsOwnUserAndGroupAreRefused(self) -> None:
        """
        twistd would drop every capability before the end, and nothing could be undone.
        """
        for option in ("uid", "gid"):
            line = self.refused(twistd=("-n", f"--{option}=0"))
            self.assertIn(f"--{option} would take the privileges", line)
            self.assertIn("leave it out", line)

    def test_aMissingPrivilege(self) -> None:
        """
        It is named, before anything is changed.
        """
        self.patch(privileges, "firstUnprivilegedPort", lambda: 1024)
        self.optionsClass = UnprivilegedOptions
        admin, raw, bind = (
            1 << number
            for number in (
                privileges.CAP_NET_ADMIN,
                privileges.CAP_NET_RAW,
                privileges.CAP_NET_BIND_SERVICE,
            )
        )
        for effective, arguments, missing in (
            (0, ETHERNET, "CAP_NET_ADMIN and CAP_NET_RAW and CAP_NET_BIND_SERVICE"),
            (admin | raw, ETHERNET, "CAP_NET_BIND_SERVICE"),
            (admin | bind, ETHERNET, "CAP_NET_RAW"),
            (raw | bind, ETHERNET, "CAP_NET_ADMIN"),
            (bind, (), "CAP_NET_ADMIN"),
        ):
            self.patch(privileges, "effectiveCapabilities", lambda effective=effective: effective)
            self.assertRefused(arguments, f"this needs {missing}: run it as root (sudo)")
        self.patch(privileges, "effectiveCapabilities", lambda: admin)
        self.assertEqual(self.parsed("--http", "8080").http, (8080,))
        self.patch(privileges, "effectiveCapabilities", lambda: admin | raw)
        self.assertEqual(self.parsed(*ETHERNET, "--http", "none").http, ())


class PrivilegeTests(SynchronousTestCase):
    """
    What the kernel says of this process.
    """

    def test_theEffectiveSetIsTheKernels(self) -> None:
        """
        As C{/proc/self/status} has it, whatever it is: everything is missing that is not in it.
        """
        effective = privileges.effectiveCapabilities()
        wanted = 1 << privileges.CAP_NET_ADMIN | 1 << privileges.CAP_NET_RAW
        if effective & wanted == wanted:
            privileges.checkPrivileges(True, True, [])
        else:
            self.assertRaises(PrivilegeError, privileges.checkPrivileges, True, True, [])

    def test_theLowestFreePortIsTheHosts(self) -> None:
        """
        C{net.ipv4.ip_unprivileged_port_start} holds for IPv6 too.
        """
        self.assertIn(privileges.firstUnprivilegedPort(), range(65537))


class StateDirectoryTests(SynchronousTestCase):
    """
    Where the state is kept, if nobody says.
    """

    def of(self, user: int, **environment: str) -> str:
        self.patch(os, "geteuid", lambda: user)
        self.patch(os, "environ", {"HOME": "/home/somebody", **environment})
        return defaultStateDirectory()

    def test_itIsTheSystemsForRootAndTheUsersElse(self) -> None:
        """
        XDG_STATE_HOME, or its default (XDG Base Directory); an empty one counts as none.
        """
        self.assertEqual(self.of(0, XDG_STATE_HOME="/x"), "/var/lib/prefix64")
        self.assertEqual(self.of(1000, XDG_STATE_HOME="/x"), "/x/prefix64")
        users = "/home/somebody/.local/state/prefix64"
        self.assertEqual(self.of(1000), users)
        self.assertEqual(self.of(1000, XDG_STATE_HOME=""), users)


class FindLinkTests(SynchronousTestCase):
    """
    Finding the interface, by the kernel itself; nothing is changed.
    """

    def setUp(self) -> None:
        try:
            with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6") as setting:
                if setting.read().strip() == "0":
                    return
        except OSError:
            pass
        skipBecause("lo has no IPv6")

    def test_loopbackIsThere(self) -> None:
        """
        ARPHRD_LOOPBACK is 772.
        """
        link = findLink("lo")
        self.assertEqual((link.name, link.hardwareType), ("lo", 772))

    def test_aMissingOneIsNamedWithThoseThatThereAre(self) -> None:
        """
        Also names that no interface can have.
        """
        for name in ("none0", "", "x" * 300, "a/b", "..", "lo\nlo"):
            error = str(self.assertRaises(InterfaceError, findLink, name))
            self.assertIn(f"--iface {name!r}: there is no such interface; there are: ", error)
            self.assertIn("lo", error.partition("there are: ")[2])
            self.assertNotIn("\n", error)

    def test_anotherNameOfTheInterface(self) -> None:
        """
        The kernel has its switches under its own name only (C{ip link property add altname}).
        """
        loopback = findLink("lo")
        self.patch(RoutingKernel, "link", lambda kernel, name: loopback)
        self.assertEqual(findLink("other0").name, "lo")

    def test_aNameThatCannotBeEncodedIsNoInterface(self) -> None:
        """
        Bytes that are no UTF-8 reach us as surrogates, which the kernel cannot be asked for.
        """
        error = str(self.assertRaises(InterfaceError, findLink, "\udcff"))
        self.assertEqual(error, "--iface '\\udcff': there is no such interface")

    def test_aPortOfABridgeIsRefused(self) -> None:
        """
        What arrives there is the bridge's, the bond's or the team's; a port of a VRF is a port of
        its own.
        """
        for kind in ("bridge", "bond", "team", "vrf", ""):
            port = Link("lo", 1, 772, b"", True, kind)
            self.patch(RoutingKernel, "link", lambda kernel, name, port=port: port)
            if kind in ("vrf", ""):
                self.assertEqual(findLink("lo"), port)
                continue
            error = str(self.assertRaises(InterfaceError, findLink, "lo"))
            self.assertEqual(
                error,
                f"--iface 'lo' is a port of a {kind}, which takes its packets: "
                f"serve the {kind} itself",
            )

    def test_ipv6ThatIsOffIsSaid(self) -> None:
        """
        With the command that turns it on; and a kernel without IPv6 has no such setting.
        """
        for text, words in (("1\n", "sysctl -w"), (None, "has no IPv6")):
            self.setting(text)
            error = str(self.assertRaises(InterfaceError, findLink, "lo"))
            self.assertIn("--iface 'lo'", error)
            self.assertIn(words, error)

    def setting(self, text: str | None) -> None:
        """
        Let every file hold a text, or be missing.
        """

        def instead(path: str) -> io.StringIO:
            if text is None:
                raise FileNotFoundError(path)
            return io.StringIO(text)

        self.patch(builtins, "open", instead)

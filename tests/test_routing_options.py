"""
The options about routing: every value, and one line for every mistake.
"""

from __future__ import annotations

from pathlib import Path

from twisted.python import usage

from prefix64 import privileges
from prefix64.addressing import parsePrefix
from prefix64.options.link import linkSettings
from prefix64.options.routing import MOST_FORWARDED, MOST_SERVICES
from prefix64.routing.entries import Numbers, Service, Steering, Way
from prefix64.settings import EchoMode, NdpMode
from prefix64.tap import Options
from tests.test_tap import ETHERNET, OptionsCase, UnprivilegedOptions

PART = parsePrefix("2001:db8:0:0:c::/80")


class GoodTests(OptionsCase):
    """
    What is asked for is what is set.
    """

    def test_withoutOptions(self) -> None:
        """
        All that comes in, and the numbers are 64.
        """
        link = self.link(*ETHERNET)
        self.assertEqual(link.steering, Steering(Way.INPUT, (), Numbers(64, 64, 64)))
        self.assertEqual((link.behind, link.followsRoutes, link.forwardWords), ((), False, ""))
        self.assertIs(link.ndp, NdpMode.PROTOCOL)

    def test_everyWay(self) -> None:
        """
        With its own options.
        """
        for way in Way:
            more = ("--ports", "tcp:80") if way is Way.PORTS else ()
            self.assertIs(self.link(*ETHERNET, "--routing", way.value, *more).steering.way, way)
        marked = self.link(
            *ETHERNET, "--routing", "fwmark", "--fwmark", "7", "--table", "252", "--priority", "9"
        )
        self.assertEqual(marked.steering.numbers, Numbers(252, 9, 7))

    def test_ports(self) -> None:
        """
        Protocols with a port, a range of them, or all; each once.
        """
        found = self.link(
            *ETHERNET, "--routing", "ports", "--ports", "tcp:80, udp:6000-6100,sctp,dccp:1,tcp:080"
        )
        self.assertEqual(
            found.steering.services,
            (Service(6, 80, 80), Service(17, 6000, 6100), Service(132), Service(33, 1, 1)),
        )
        self.assertEqual(
            ",".join(map(str, found.steering.services)), "tcp:80,udp:6000-6100,sctp,dccp:1"
        )
        every = self.link(*ETHERNET, "--routing", "ports", "--ports", "tcp:1-65535")
        self.assertTrue(every.steering.services[0].has(6, 65_535))

    def test_whatIsBehind(self) -> None:
        """
        Parts in their order, each once, and auto.
        """
        link = self.link(
            *ETHERNET,
            *("--forward", str(PART)) * 2,
            "--forward",
            "auto",
            "--forward",
            "2001:db8::9",
        )
        self.assertEqual(link.behind, (PART, parsePrefix("2001:db8::9")))
        self.assertTrue(link.followsRoutes)
        self.assertEqual(link.forwardWords, f"{PART}, 2001:db8::9, auto")
        self.assertEqual(self.link(*ETHERNET, "--forward", "2001:db8::/64").behind, link.prefixes)

    def test_whoAnswersPing(self) -> None:
        """
        Where somebody else answers solicitations, the kernel does, unless it is asked for.
        """
        for ndp, echo in (("protocol", "protocol"), ("kernel", "kernel"), ("none", "kernel")):
            link = self.link(*ETHERNET, "--ndp", ndp)
            self.assertIs(link.echoMode(ethernet=True), EchoMode(echo))
            asked = self.link(*ETHERNET, "--ndp", ndp, "--echo", "none")
            self.assertIs(asked.echoMode(ethernet=True), EchoMode.NONE)

    def test_fromAMapping(self) -> None:
        """
        As who has several interfaces gives them: what is missing is the default.
        """
        given = {"iface": "eth0", "prefix": ["2001:db8::/64"]}
        self.assertEqual(
            linkSettings(given), linkSettings({**given, "routing": None, "echo": None})
        )

    def test_theHelpNamesEachOption(self) -> None:
        """
        With what it is when it is not given.
        """
        text = " ".join(str(Options()).split())
        for words in (
            "--routing= how packets for the prefix become this host's own: input (all that come "
            "in), ports (only --ports), fwmark (what the firewall marks) or none [default: input]",
            "--ports= with --routing ports: what is taken, such as tcp:80,tcp:443",
            "--table= the routing table [default: 64]",
            "--priority= the priority of the rules [default: 64]",
            "--fwmark= with --routing fwmark: the firewall mark [default: 64]",
            "--ndp= who answers Neighbor Solicitations: protocol, kernel (its proxy, for single "
            "hosts) or none (another program) [default: protocol]",
            "--forward= A part of the prefix that lives behind this host, or auto; may be given "
            "again",
        ):
            self.assertIn(words, text)


class BadTests(OptionsCase):
    """
    One line that names the value, says what is wrong, and what to do.
    """

    def assertRefused(self, text: str, *options: str) -> None:
        error = self.assertRaises(usage.UsageError, self.parsed, *ETHERNET, *options)
        self.assertIn(text, str(error))
        self.assertNotIn("\n", str(error))
        self.assertLess(len(str(error)), 300)

    def test_words(self) -> None:
        """
        Of those that there are; nothing is none of them, neither.
        """
        for value in ("", "Input", "inputs", "input ", "none\n", "\x1b[2J", "x" * 9999):
            self.assertRefused("choose one of input, ports, fwmark, none", "--routing", value)
            self.assertRefused("choose one of protocol, kernel, none", "--ndp", value)

    def test_numbers(self) -> None:
        """
        In their ranges, and in decimal digits.
        """
        for value in ("", "0", "-1", "+1", "1.5", "0x40", "main", "1 ", "٦٤", "9" * 5000, "64/64"):
            self.assertRefused("--table", "--table", value)
            self.assertRefused("--priority", "--priority", value)
            self.assertRefused("--fwmark", "--routing", "fwmark", "--fwmark", value)
        for value in ("253", "254", "255"):
            self.assertRefused(
                f"--table {value}: 253 to 255 are the kernel's own: choose another one",
                "--table",
                value,
            )
        self.assertRefused("--priority '32765': give 1 to 32,764", "--priority", "32765")
        self.assertEqual(
            self.link(*ETHERNET, "--priority", "32764").steering.numbers.priority, 32764
        )

    def test_portsThatAreNone(self) -> None:
        """
        A protocol without ports, a range that is none, or more than the kernel should compare.
        """
        routing = ("--routing", "ports", "--ports")
        for value in (
            "",
            ",",
            "tcp:80,",
            "80",
            "TCP:80",
            "tcp:",
            "tcp:80:81",
            "tcp:-80",
            "tcp:80-",
            "tcp:http",
            "icmpv6",
            "ipv6-icmp",
            "tcp:123456",
            "tcp:٨٠",
            "\x1b[2J" * 99,
        ):
            self.assertRefused(
                "give a protocol of tcp, udp, dccp, sctp, and a port", *routing, value
            )
        for value in ("tcp:0", "tcp:80-79", "udp:65536", "tcp:1-99999", "tcp:0-80"):
            self.assertRefused(
                f"--ports '{value}': ports are from 1 to 65535, and a range begins with the lower "
                "one",
                *routing,
                value,
            )
        many = ",".join(f"tcp:{number}" for number in range(1, MOST_SERVICES + 2))
        self.assertRefused(f"--ports: 65 entries: at most {MOST_SERVICES}", *routing, many)

    def test_contradictions(self) -> None:
        """
        What needs, or excludes, another option.
        """
        self.assertRefused("--routing ports needs --ports", "--routing", "ports")
        self.assertRefused("--ports tcp needs --routing ports", "--ports", "tcp")
        self.assertRefused("--fwmark 7 needs --routing fwmark", "--fwmark", "7")
        self.assertRefused(r"--ports '\x1b[2J' needs --routing ports", "--ports", "\x1b[2J")
        for way in ("fwmark", "none"):
            self.assertRefused(
                f"--local contradicts --routing {way}, which has no rule of its own for what this "
                "host sends: leave one out",
                *("--routing", way, "--local"),
            )
        for ndp in ("kernel", "none"):
            self.assertRefused(
                f"--forward contradicts --ndp {ndp}: it says what is answered for by the protocol: "
                "leave one out",
                *("--ndp", ndp, "--forward", "auto"),
            )

    def test_portsThatNobodyWouldReach(self) -> None:
        """
        What listens must be taken; what listens elsewhere, or not at all, need not.
        """
        ports = ("--routing", "ports", "--ports", "tcp:443,udp:80")
        self.assertRefused(
            "--http 80 is in none of --ports tcp:443,udp:80, so that nobody would reach it: "
            "add tcp:80",
            *ports,
        )
        self.assertRefused("add tcp:8080", *ports, "--http", "443", "--http", "8080")
        self.parsed(*ETHERNET, *ports, "--http", "443")
        self.parsed(*ETHERNET, *ports, "--http", "none")

    def test_whatCannotBeBehind(self) -> None:
        """
        What is no part of a prefix, is excluded, or too much.
        """
        for value, words in (
            ("2001:db8:1::/64", "is in none of the prefixes (2001:db8::/64): leave it out"),
            ("2001:db8::/56", "is in none of the prefixes (2001:db8::/64): leave it out"),
            ("br0", "'br0' is no IPv6 address or prefix"),
            ("AUTO", "'AUTO' is no IPv6 address or prefix"),
            ("", "'' is no IPv6 address or prefix"),
            ("2001:db8::1/112", "did you mean 2001:db8::/112?"),
            ("192.0.2.1", "is IPv4"),
        ):
            self.assertRefused(words, "--forward", value)
        self.assertRefused(
            f"--forward {PART} contradicts --exclude 2001:db8::c:0:0:9: leave one out",
            *("--forward", str(PART), "--exclude", "2001:db8:0:0:c::9"),
        )
        many = (
            word
            for number in range(1, MOST_FORWARDED + 2)
            for word in ("--forward", f"2001:db8::{number:x}")
        )
        self.assertRefused(f"--forward: 257 parts: at most {MOST_FORWARDED}", *many)

    def test_whatTheKernelIsNoProxyFor(self) -> None:
        """
        A sub-prefix; hosts of another prefix are no matter.
        """
        sites = Path(self.mktemp())
        (sites / "2001-db8-0-0-c--_80").mkdir(parents=True)
        options = ("--ndp", "kernel", "--sites", str(sites))
        self.assertRefused("answers for single addresses only, and 2001:db8:0:0:c::/80", *options)
        self.parsed(*ETHERNET, "--sites", str(sites))

    def test_onLoopback(self) -> None:
        """
        There are no solicitations.
        """
        error = self.assertRaises(usage.UsageError, self.parsed, "--ndp", "kernel")
        self.assertEqual(
            str(error),
            "--ndp kernel needs an Ethernet interface, and 'lo' is none, which has no "
            "solicitations: leave it out",
        )


class PrivilegeTests(OptionsCase):
    """
    What each way needs of the process.
    """

    optionsClass = UnprivilegedOptions

    def test_whatIsMissingIsNamed(self) -> None:
        """
        Only what will be needed.
        """
        admin, raw = "CAP_NET_ADMIN", "CAP_NET_RAW"
        for options, needs in (
            ((), (admin, raw)),
            (("--ndp", "none"), (admin,)),
            (("--ndp", "none", "--echo", "protocol"), (admin, raw)),
            (("--routing", "none"), (admin, raw)),
            (("--routing", "none", "--echo", "kernel"), (raw,)),
            (("--routing", "none", "--ndp", "none"), ()),
            (("--routing", "none", "--ndp", "kernel"), (admin,)),
            (("--routing", "none", "--ndp", "none", "--echo", "none"), (admin,)),
        ):
            self.patch(privileges, "effectiveCapabilities", lambda: 0)
            listening = ("--http", "8080")
            if not needs:
                self.parsed(*ETHERNET, *options, *listening)
                continue
            error = self.assertRaises(
                usage.UsageError, self.parsed, *ETHERNET, *options, *listening
            )
            self.assertEqual(
                str(error), f"this needs {' and '.join(needs)}: run it as root (sudo)", options
            )

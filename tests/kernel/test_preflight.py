"""
Each failure is found before anything is changed; and where one comes half-way, what was done is
undone. One line, exit status 1, and a kernel that is what it was.
"""

from __future__ import annotations

import socket
from typing import Any

from tests.kernel.lab import suiteOf
from tests.kernel.namespaces import OUTSIDE, PREFIX, SECOND_PREFIX, eventually
from tests.kernel.test_ways import LISTED, WayTestCase
from tests.kernel.twistd import Twistd
from tests.kernel.wider_lab import WiderLab

SERVER = "2001:db8:ffff::2"
"""An address of the server's in none of the prefixes."""

WIDE, PEER = "2001:db8::/56", "2001:db8:0:77::5"
"""A prefix, and an address in it that is behind the router."""

ETH0 = ("-i", "eth0", "-p", PREFIX)
PORTS = ("--routing", "ports", "--ports", "tcp:80")


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class PreflightTestCase(WayTestCase):
    """
    What the tests here have in common.
    """

    def setUp(self) -> None:
        """
        Make a lab.
        """
        super().setUp()
        self.lab = self.makeLab(SERVER)

    def assertRefused(self, options: tuple[str, ...], line: str, *within: str) -> None:
        """
        The start fails in this line, and nothing is changed.

        @param within: a command that runs it.
        """
        lab = self.lab
        before = lab.server.dump()
        service = Twistd(lab.server, *options, within=within)
        lab.services.append(service)
        self.assertEqual(service.process.wait(15), 1, service.log())
        self.assertEqual(service.log().splitlines()[-1], f"prefix64: {line}")
        said = [text for text in service.log().splitlines() if text.startswith("prefix64: ")]
        self.assertEqual(len(said), 1)
        self.assertNotIn("Traceback", service.log())
        self.assertEqual(lab.server.dump(), before)

    def assertStarts(self, *options: str) -> None:
        """
        There is no false alarm; and the end leaves nothing.
        """
        lab = self.lab
        before = lab.server.dump()
        service = lab.launch(*options)
        service.waitForStart()
        service.stop()
        self.assertEqual(lab.server.dump(), before)


class UsedTests(PreflightTestCase):
    """
    Somebody else has what is wanted.
    """

    def test_theTable(self) -> None:
        """
        It has a route that is not ours; another table is free.
        """
        self.lab.server.ip("-6 route add 2001:db8:5::/64 dev eth0 table 64")
        self.assertRefused(
            ETH0,
            "table 64 is in use by somebody else: it has a route that is not ours (2001:db8:5::/64 "
            "dev eth0): choose another table with --table, or remove it: "
            "ip -6 route del 2001:db8:5::/64 table 64",
        )
        self.assertStarts(*ETH0, "--table", "65")
        self.assertStarts(*ETH0, "--routing", "none")

    def test_thePriority(self) -> None:
        """
        The one of our rules, and with ports the next one.
        """
        for priority, options in ((64, ()), (65, PORTS), (99, ("--priority", "99"))):
            self.lab.server.ip(f"-6 rule add from 2001:db8:9::/64 lookup 99 priority {priority}")
            self.assertRefused(
                (*ETH0, *options),
                f"priority {priority} is in use by somebody else's rule (priority {priority}, "
                "table 99): choose another priority with --priority",
            )
            self.lab.server.ip(f"-6 rule del priority {priority}")
            self.assertStarts(*ETH0, *options)

    def test_theGuard(self) -> None:
        """
        Somebody's nf_tables table has its name: an error where the guard was asked for, and else
        echo is left to the kernel.
        """
        self.lab.server.run("nft", "add", "table", "ip6", "prefix64-eth0")
        self.assertRefused(
            (*ETH0, "--echo", "protocol"),
            "--echo protocol: there is an nf_tables table ip6 prefix64-eth0 already: "
            "nft delete table ip6 prefix64-eth0 removes it",
        )
        self.assertStarts(*ETH0)

    def test_aPrefixThatIsServedByMarks(self) -> None:
        """
        Two instances cannot have one prefix, by whichever way.
        """
        lab = self.lab
        lab.secondLink()
        first = lab.start("--routing", "fwmark")
        second = ("-i", "eth1", "-p", PREFIX, "--http", "8080")
        for options in ((), ("--table", "65"), ("--routing", "fwmark", "--table", "65")):
            self.assertRefused(
                (*second, *options),
                "2001:db8::/64 is served by --routing fwmark and table 64 already by process "
                f"{first.process.pid} (user 0): stop that first, or serve another prefix",
            )
        self.assertStarts("-i", "eth1", "-p", SECOND_PREFIX, "--http", "8080")


class CutOffTests(PreflightTestCase):
    """
    Somebody is here by ssh.
    """

    def connect(self) -> None:
        """
        Connect from behind the router to port 22 of the server.
        """
        lab = self.lab
        lab.router.ip(f"address add {PEER}/128 dev lo nodad")
        with lab.server.entered():
            listener = socket.create_server((SERVER, 22), family=socket.AF_INET6)
        self.addCleanup(listener.close)
        with lab.router.entered():
            peer = socket.create_connection((SERVER, 22), 5, (PEER, 0))
        self.addCleanup(peer.close)
        accepted, (address, *_) = listener.accept()
        self.addCleanup(accepted.close)
        self.assertEqual(address, PEER)

    def test_whoeverStartsItRemotelyIsNotCutOff(self) -> None:
        """
        With C{--local}, and on lo; what is excluded, or not taken, is no matter.
        """
        self.connect()
        text = f"--prefix {WIDE} would cut this host off from the ssh connection of {PEER}: "
        wide = ("-i", "eth0", "-p", WIDE)
        self.assertRefused((*wide, "--local"), f"{text}add --exclude {PEER}, or leave --local out")
        self.assertRefused(
            ("-i", "lo", "-p", WIDE), f"{text}add --exclude {PEER}, or serve another prefix"
        )
        self.assertRefused(
            (*wide, "--local", "--routing", "ports", "--ports", "tcp"),
            f"{text}add --exclude {PEER}, or leave --local out",
        )
        self.assertStarts(*wide)
        self.assertStarts(*wide, "--local", "--exclude", PEER)
        self.assertStarts(*wide, "--local", *PORTS)
        self.assertStarts(*ETH0, "--local")

    def test_theEnvironmentNamesThePeer(self) -> None:
        """
        sshd may listen at another port.
        """
        self.assertRefused(
            ("-i", "eth0", "-p", WIDE, "--local"),
            f"--prefix {WIDE} would cut this host off from the ssh connection of {PEER}: "
            f"add --exclude {PEER}, or leave --local out",
            "env",
            f"SSH_CONNECTION={PEER} 50000 {SERVER} 2222",
        )


class HostTests(PreflightTestCase):
    """
    The host, or this process, cannot do it.
    """

    def test_withoutIpv6(self) -> None:
        """
        On lo, or on the interface, which may be called by another one of its names.
        """
        server = self.lab.server
        server.sysctl("conf/lo/disable_ipv6", 1)
        self.assertRefused(
            ETH0,
            "IPv6 is off on lo, so that no route can make a prefix this host's own: "
            "sysctl -w net/ipv6/conf/lo/disable_ipv6=0",
        )
        server.sysctl("conf/lo/disable_ipv6", 0)
        server.ip("link property add dev eth0 altname wan0")
        self.assertStarts("-i", "wan0", "-p", PREFIX)
        server.sysctl("conf/eth0/disable_ipv6", 1)
        for name in ("eth0", "wan0"):
            self.assertRefused(
                ("-i", name, "-p", PREFIX),
                f"--iface {name!r}: IPv6 is off there: sysctl -w net/ipv6/conf/eth0/disable_ipv6=0",
            )

    def test_withoutPrivileges(self) -> None:
        """
        Each way names what it needs.
        """
        for capability, word, options in (
            ("net_admin", "CAP_NET_ADMIN", ()),
            ("net_raw", "CAP_NET_RAW", ()),
            ("net_admin", "CAP_NET_ADMIN", ("--routing", "none")),
            ("net_admin", "CAP_NET_ADMIN", ("--ndp", "none")),
            ("net_raw", "CAP_NET_RAW", ("--routing", "fwmark")),
            ("net_admin", "CAP_NET_ADMIN", ("--routing", "none", "--ndp", "kernel")),
            ("net_admin,-net_raw", "CAP_NET_ADMIN and CAP_NET_RAW", PORTS),
        ):
            self.assertRefused(
                (*ETH0, *options),
                f"this needs {word}: run it as root (sudo)",
                "setpriv",
                f"--bounding-set=-{capability}",
                "--inh-caps=-all",
            )

    def test_nothingForwards(self) -> None:
        """
        What is behind would not be reached.
        """
        self.assertRefused(
            (*ETH0, "--forward", "2001:db8:0:0:c::/80"),
            "--forward 2001:db8:0:0:c::/80: this host does not forward, so nothing would arrive: "
            "sysctl -w net.ipv6.conf.all.forwarding=1 (where router advertisements give the "
            "default route, net.ipv6.conf.eth0.accept_ra=2 before that)",
        )

    def test_whatTheKernelIsNoProxyFor(self) -> None:
        """
        A sub-prefix, and more addresses than it would look through.
        """
        proxy = (*ETH0, "--ndp", "kernel")
        part = self.sites(self.lab, "2001-db8-0-0-c--_80")
        self.assertRefused(
            (*proxy, *part),
            "--ndp kernel: the kernel answers for single addresses only, and 2001:db8:0:0:c::/80 "
            "is a sub-prefix: leave --ndp kernel out, or that one",
        )
        (self.lab.directory / "sites" / "2001-db8-0-0-c--_80" / "index.html").unlink()
        (self.lab.directory / "sites" / "2001-db8-0-0-c--_80").rmdir()
        many = self.sites(self.lab, *(f"2001-db8--1-{number:x}" for number in range(1001)))
        self.assertRefused(
            (*proxy, *many),
            "--ndp kernel: 1,001 hosts: the kernel answers for at most 1,000, which it looks "
            "through one by one: leave --ndp kernel out",
        )


class HalfWayTests(PreflightTestCase):
    """
    What fails only when much is done already.
    """

    def test_aPortIsInUse(self) -> None:
        """
        Rules, routes, proxies, switches, the guard and the packet socket go again.
        """
        lab: WiderLab = self.lab
        lab.server.sysctl("conf/eth0/accept_ra", 1)
        with lab.server.entered():
            listener = socket.create_server(("::", 80), family=socket.AF_INET6)
        self.addCleanup(listener.close)
        sites = self.sites(lab, LISTED.replace(":", "-"))
        for options in (
            (),
            PORTS,
            ("--routing", "fwmark"),
            ("--ndp", "kernel", *sites),
            ("--local", "--exclude", "2001:db8::e:0/112"),
        ):
            before = lab.server.dump()
            service = lab.launch(*ETH0, *options)
            self.assertEqual(service.process.wait(15), 1)
            self.assertIn("prefix64: port 80 is in use (", service.log())
            self.assertNotIn("Traceback", service.log())
            self.assertEqual(lab.server.dump(), before)

    def test_itIsKilledHalfWayAndStartedWithSomethingElse(self) -> None:
        """
        Whatever it was doing: the next start and end leave nothing.
        """
        lab = self.lab
        state = ("--state", str(lab.directory / "state"))
        sites = self.sites(lab, LISTED.replace(":", "-"))
        before = lab.server.dump()
        ways = (PORTS, ("--ndp", "kernel", *sites), ("--routing", "fwmark"), ("--local",))
        for way in ways:
            service = lab.launch(*ETH0, *way, *state)
            eventually(lambda: "proto 64" in lab.server.ip("-6 rule show"), 15)
            service.kill()
            self.assertNotEqual(lab.server.dump(), before)
        service = lab.start(*state)
        self.assertAnsweredOnce(lab.ping("2001:db8::cafe"))
        self.assertIn(OUTSIDE, lab.fetch("http://[2001:db8::cafe]/"))
        service.stop()
        self.assertEqual(lab.server.dump(), before)

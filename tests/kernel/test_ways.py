"""
Every way in which packets become the host's own, and in which solicitations are answered: it works,
and the kernel is afterwards what it was, however the process ended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import (
    PREFIX,
    SECOND_PREFIX,
    CommandFailed,
    Namespace,
    eventually,
)
from tests.kernel.twistd import Twistd
from tests.kernel.wider_lab import WiderLab

ADDRESS, OTHER = "2001:db8::cafe", "2001:db8::beef"
LISTED = "2001:db8::1:1"
MARKING = """
table ip6 user {
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        iifname "eth0" ip6 daddr 2001:db8::/64 meta mark set 64
    }
}
"""
"""What a user's firewall has for --routing fwmark."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class WayTestCase(KernelTestCase):
    """
    What the tests here have in common.
    """

    def makeLab(self, *own: str, inside: bool = False) -> WiderLab:
        """
        Make a lab for this test.
        """
        lab = WiderLab()
        self.addCleanup(lab.close)
        lab.build(*own, inside=inside)
        return lab

    def assertServes(self, lab: WiderLab, address: str = ADDRESS) -> None:
        """
        An address answers ping once, and HTTP.
        """
        self.assertAnsweredOnce(lab.ping(address))
        self.assertIn(address, lab.fetch(f"http://[{address}]/"))

    def assertNotServed(self, lab: WiderLab, address: str, port: int = 80) -> None:
        """
        Nothing answers TCP.
        """
        options = ("--connect-timeout", "1")
        self.assertRaises(CommandFailed, lab.fetch, f"http://[{address}]:{port}/", *options)

    def assertLeavesNothing(
        self, lab: WiderLab, options: Sequence[str], address: str = ADDRESS, before: str = ""
    ) -> None:
        """
        After SIGTERM the kernel is what it was; and so it is after SIGKILL, a start and an end.

        @param before: what it was, if something runs already that is to be spared.
        """
        before = before or lab.server.dump()
        state = ("--state", str(lab.directory / "state"))
        for kill in (False, True):
            service = lab.start(*options, *state)
            self.assertServes(lab, address)
            self.assertNotEqual(lab.server.dump(), before)
            if kill:
                service.kill()
                service = lab.start(*options, *state)
                self.assertServes(lab, address)
            service.stop()
            self.assertNotIn("Traceback", service.log())
            self.assertEqual(lab.server.dump(), before)

    def sites(self, lab: WiderLab, *names: str) -> tuple[str, str]:
        """
        A tree of sites, as an option.
        """
        for name in names:
            path = lab.directory / "sites" / name
            path.mkdir(parents=True)
            (path / "index.html").write_text(f"the site of {name.replace('-', ':')}")
        return "--sites", str(lab.directory / "sites")


class InputTests(WayTestCase):
    """
    C{--routing input}.
    """

    def test_otherNumbers(self) -> None:
        """
        Another table, above 255, and another priority; several prefixes on the interface.
        """
        lab = self.makeLab("2001:db8::b:1")
        numbers = ("--table", "6464", "--priority", "1000")
        options = (*numbers, "--prefix", SECOND_PREFIX, "--exclude", "2001:db8::e:0/112")
        lab.start(*options)
        rules = lab.server.ip("-6 rule show priority 1000")
        self.assertEqual(
            rules.splitlines(),
            [
                f"1000:\tfrom all to {prefix} iif eth0 lookup 6464 proto 64"
                for prefix in (PREFIX, SECOND_PREFIX)
            ],
        )
        self.assertServes(lab)
        self.assertServes(lab, "2001:db8:1::5")
        lab.services[0].stop()
        self.assertLeavesNothing(lab, options)

    def test_local(self) -> None:
        """
        The host itself reaches it.
        """
        lab = self.makeLab()
        self.assertLeavesNothing(lab, ("--local",))


class PortsTests(WayTestCase):
    """
    C{--routing ports}.
    """

    options = ("--routing", "ports", "--ports", "tcp:80")

    def test_leavesNothing(self) -> None:
        """
        Rules of every kind, with holes and for the host itself.
        """
        lab = self.makeLab("2001:db8::b:1")
        lab.server.sysctl("conf/all/forwarding", 1)
        ports = ("--routing", "ports", "--ports", "tcp:80,udp:53,tcp:8000-8100,sctp")
        options = (*ports, "--exclude", "2001:db8::e:0/112", "--local", "--prefix", SECOND_PREFIX)
        self.assertLeavesNothing(lab, options)

    def test_onlyWhatIsNamedIsTaken(self) -> None:
        """
        A port that is not named is not reached, though somebody listens on it at every address;
        ping is answered once, by the protocol or the kernel.
        """
        lab = self.makeLab()
        for echo in ("protocol", "kernel"):
            service = lab.start(*self.options, "--http", "80", "--echo", echo)
            self.listen(lab, 8080)
            self.assertServes(lab)
            self.assertNotServed(lab, ADDRESS, 8080)
            service.stop()
        service = lab.start("--routing", "input")
        page = lab.fetch(f"http://[{ADDRESS}]:8080/")
        self.assertIn("Directory listing", page)
        service.stop()

    def listen(self, lab: WiderLab, port: int) -> None:
        """
        Have another web server listen at every address.
        """
        if not lab.server.run("ss", "-6Hltn", f"sport = :{port}").stdout:
            lab.spawn("python3", "-m", "http.server", "--bind", "::", str(port))
            eventually(lambda: lab.server.run("ss", "-6Hltn", f"sport = :{port}").stdout)

    def test_whatIsNotTakenDoesNotLoop(self) -> None:
        """
        With forwarding on, a datagram to a port that is not named would go back to the router,
        which sends it here again; it ends here instead.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.start(*self.options)
        lab.router.ip(f"route replace {PREFIX} via fe80::2 dev eth0")
        lab.router.sysctl("conf/all/forwarding", 1)
        before = self.forwarded(lab.router)
        lab.router.run("bash", "-c", f"echo hello > /dev/udp/{ADDRESS}/7")
        self.assertServes(lab)
        self.assertEqual(self.forwarded(lab.router), before)
        # And it would loop: without the rule that ends it, it does.
        lab.server.ip(f"-6 rule del to {PREFIX} iif eth0 blackhole priority 65 protocol 64")
        lab.router.run("bash", "-c", f"echo hello > /dev/udp/{ADDRESS}/7")
        eventually(lambda: self.forwarded(lab.router) > before + 10)

    @staticmethod
    def forwarded(namespace: Namespace) -> int:
        """
        How many datagrams a host has forwarded.
        """
        text = namespace.run("cat", "/proc/net/snmp6").stdout
        found = re.search(r"Ip6OutForwDatagrams\s+(\d+)", text)
        assert found is not None
        return int(found[1])

    def test_whatIsExcludedGoesItsOwnWay(self) -> None:
        """
        A hole is not for the last rule: what the main table knows about it counts.
        """
        lab = self.makeLab()
        lab.container("2001:db8:0:0:c::/80", "2001:db8:0:0:c::2")
        lab.start(*self.options, "--forward", "2001:db8:0:0:c::/80")
        self.assertAnsweredOnce(lab.ping("2001:db8:0:0:c::2"))
        self.assertServes(lab)


class MarkTests(WayTestCase):
    """
    C{--routing fwmark}.
    """

    options = ("--routing", "fwmark")

    def mark(self, lab: WiderLab) -> None:
        """
        Have the user's firewall mark what comes in for the prefix.
        """
        path = lab.directory / "marking"
        path.write_text(MARKING)
        lab.server.run("nft", "-f", str(path))

    def test_leavesNothing(self) -> None:
        """
        One rule, of the classic set-up; the user's table stays.
        """
        lab = self.makeLab("2001:db8::b:1")
        self.mark(lab)
        service = lab.start(*self.options)
        self.assertEqual(
            lab.server.ip("-6 rule show priority 64"),
            "64:\tfrom all fwmark 0x40 lookup 64 proto 64\n",
        )
        self.assertIn("local 2001:db8::/64 dev lo", lab.server.ip("-6 route show table 64"))
        service.stop()
        self.assertLeavesNothing(lab, self.options)

    def test_anotherMarkAndTable(self) -> None:
        """
        By options.
        """
        lab = self.makeLab()
        path = lab.directory / "marking"
        path.write_text(MARKING.replace("mark set 64", "mark set 7"))
        lab.server.run("nft", "-f", str(path))
        self.assertLeavesNothing(lab, (*self.options, "--fwmark", "7", "--table", "77"))

    def test_whatAKilledRunLeftGoesWhateverComesNext(self) -> None:
        """
        With another prefix, and another way: the rule for the mark names neither a prefix nor an
        interface.
        """
        lab = self.makeLab()
        self.mark(lab)
        before = lab.server.dump()
        for following in (("--routing", "input"), self.options):
            first = lab.launch("-i", "eth0", "-p", SECOND_PREFIX, *self.options)
            first.waitForStart()
            first.kill()
            service = lab.start(*following)
            self.assertServes(lab)
            self.assertNotIn(SECOND_PREFIX, lab.server.ip("-6 route show table 64"))
            service.stop()
            self.assertEqual(lab.server.dump(), before)

    def test_twoWithOneTable(self) -> None:
        """
        A second instance whose marks lead to the same table is refused in one line; with another
        table it is not, and neither touches the other's.
        """
        lab = self.makeLab()
        self.mark(lab)
        lab.secondLink()
        first = lab.start(*self.options)
        self.assertServes(lab)
        alone = withoutCounters(lab.server.dump())
        second = ("-i", "eth1", "-p", SECOND_PREFIX, "--http", "8080", *self.options)
        refused = lab.launch(*second)
        refused.process.wait(10)
        self.assertIn(
            "prefix64: table 64 is where firewall marks lead already by process "
            f"{first.process.pid} (user 0): give this one another --table",
            refused.log(),
        )
        self.assertEqual(withoutCounters(lab.server.dump()), alone)
        other = lab.launch(*second, "--table", "65")
        other.waitForStart()
        other.kill()
        self.assertServes(lab)
        other = lab.launch(*second, "--table", "65")
        other.waitForStart()
        other.stop()
        self.assertEqual(withoutCounters(lab.server.dump()), alone)


class NoneTests(WayTestCase):
    """
    C{--routing none} and C{--ndp none}.
    """

    def test_routingByHand(self) -> None:
        """
        Somebody else makes the prefix local; nothing of that is touched.
        """
        lab = self.makeLab()
        lab.server.ip(f"-6 route add local {PREFIX} dev lo")
        self.assertLeavesNothing(lab, ("--routing", "none"))

    def test_ndpByAnotherProgram(self) -> None:
        """
        ndppd answers solicitations, prefix64 does the rest; ping is the kernel's, or the
        protocol's where that is asked for.
        """
        lab = self.makeLab()
        configuration = lab.directory / "ndppd.conf"
        configuration.write_text(f"proxy eth0 {{ rule {PREFIX} {{ static }} }}\n")
        lab.spawn("ndppd", "-c", str(configuration))
        eventually(lambda: lab.server.allmulti() == 1)
        for echo, verdict in (((), ""), (("--echo", "protocol"), "left_to_others")):
            lab.router.ip("neigh flush all")
            service = lab.start("--ndp", "none", *echo)
            self.assertServes(lab)
            service.stop()
            self.assertNotIn("advertised", service.log())
            self.assertIn(verdict, service.log())

    def test_nothingAtAllNeedsNoPrivilege(self) -> None:
        """
        With neither, the kernel is not changed, and a user without any capability can run it.
        """
        lab = self.makeLab()
        before = lab.server.dump()
        options = ("--routing", "none", "--ndp", "none", "--http", "8080")
        powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        user = Twistd(lab.server, "-i", "eth0", "-p", PREFIX, *options, within=powerless)
        lab.services.append(user)
        user.waitForStart()
        self.assertEqual(lab.server.dump(), before)
        user.stop()


class KernelProxyTests(WayTestCase):
    """
    C{--ndp kernel}.
    """

    def makeLab(self, *own: str, inside: bool = False) -> WiderLab:
        """
        Make a lab whose kernel answers at once: it would wait for up to 0.8 seconds.
        """
        lab = super().makeLab(*own, inside=inside)
        lab.server.sysctl("neigh/eth0/proxy_delay", 0)
        return lab

    def start(self, lab: WiderLab, *options: str) -> Twistd:
        return lab.start("--ndp", "kernel", *self.sites(lab, "2001-db8--1-1"), *options)

    def test_leavesNothing(self) -> None:
        """
        Proxies and sysctls go back, also when the process was killed in between.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/eth0/accept_ra", 1)
        options = ("--ndp", "kernel", *self.sites(lab, "2001-db8--1-1"))
        self.assertLeavesNothing(lab, options, LISTED)

    def test_onlySingleHostsAreAnsweredFor(self) -> None:
        """
        By the kernel: its proxy entries are those of the hosts.
        """
        lab = self.makeLab()
        self.start(lab)
        self.assertEqual(
            lab.server.ip("-6 neigh show proxy").split(),
            f"{LISTED} dev eth0 proxy proto 64".split(),
        )
        self.assertServes(lab, LISTED)
        self.assertEqual(lab.ping(ADDRESS, wait=1.5).received, 0)

    def test_theDefaultRouteOfARouterAdvertisementStays(self) -> None:
        """
        On the interface itself, and on another one, whose switch is for a moment another.
        """
        lab = self.makeLab()
        lab.secondLink()
        lab.server.ip("-6 route del default")
        lab.learnRoutes("eth0", "eth1")
        routes = self.learned(lab)
        self.assertEqual(len(routes), 2)
        before = lab.server.dump()
        service = self.start(lab)
        self.assertEqual(self.learned(lab), routes)
        self.assertEqual(self.switches(lab, "eth0"), ("2", "1", "1"))
        self.assertEqual(self.switches(lab, "eth1"), ("1", "0", "0"))
        service.stop()
        self.assertEqual(self.learned(lab), routes)
        self.assertEqual(self.switches(lab, "eth0"), ("1", "0", "0"))
        self.assertEqual(withoutLifetimes(lab.server.dump()), withoutLifetimes(before))

    @staticmethod
    def learned(lab: WiderLab) -> list[str]:
        """
        The default routes that router advertisements have made, and where they lead.
        """
        lines = lab.server.ip("-6 route show default proto ra").splitlines()
        return [line.partition(" metric")[0] for line in lines]

    @staticmethod
    def switches(lab: WiderLab, interface: str) -> tuple[str, ...]:
        names = ("accept_ra", "forwarding", "proxy_ndp")
        paths = [f"/proc/sys/net/ipv6/conf/{interface}/{name}" for name in names]
        return tuple(lab.server.run("cat", *paths).stdout.split())

    def test_linkDownAndUp(self) -> None:
        """
        With the link the kernel loses the proxies; they come back with it.
        """
        lab = self.makeLab()
        service = self.start(lab)
        lab.server.ip("link set eth0 down")
        eventually(lambda: not lab.server.ip("-6 neigh show proxy"))
        lab.server.ip("link set eth0 up")
        lab.configureServer()
        eventually(lambda: LISTED in lab.server.ip("-6 neigh show proxy"))
        eventually(lambda: lab.ping(LISTED).received)
        self.assertNotIn("left alone", service.log())

    def test_theInterfaceComesBack(self) -> None:
        """
        Another one of the same name has switches of its own, which are put back too.
        """
        lab = self.makeLab()
        service = self.start(lab)
        lab.server.ip("link del eth0")
        eventually(lambda: "is gone" in service.log() or not lab.server.ip("-6 neigh show proxy"))
        lab.link()
        lab.configure()
        lab.server.sysctl("neigh/eth0/proxy_delay", 0)
        lab.server.sysctl("conf/eth0/accept_ra", 1)
        eventually(lambda: LISTED in lab.server.ip("-6 neigh show proxy"))
        eventually(lambda: lab.ping(LISTED).received)
        self.assertEqual(self.switches(lab, "eth0")[1:], ("1", "1"))
        service.stop()
        self.assertEqual(self.switches(lab, "eth0")[1:], ("0", "0"))
        self.assertEqual(lab.server.ip("-6 neigh show proxy"), "")

    def test_somebodyElsesProxyIsSpared(self) -> None:
        """
        One that an administrator made is there before, meanwhile and afterwards.
        """
        lab = self.makeLab()
        lab.server.ip(f"-6 neigh add proxy {LISTED} dev eth0")
        lab.server.ip("-6 neigh add proxy 2001:db8::77 dev eth0 protocol 99")
        before = lab.server.dump()
        service = self.start(lab)
        self.assertServes(lab, LISTED)
        service.stop()
        self.assertEqual(lab.server.dump(), before)


class ForwardTests(WayTestCase):
    """
    C{--forward}.
    """

    part, inside = "2001:db8:0:0:c::/80", "2001:db8::c:0:0:2"

    def test_whatIsBehindIsReached(self) -> None:
        """
        By its own route, through this host, which answers for it on the link; and nothing is left.
        """
        lab = self.makeLab()
        lab.container(self.part, self.inside)
        for option in (self.part, "auto", self.inside):
            lab.router.ip("neigh flush all")
            before = lab.server.dump()
            service = lab.start("--forward", option)
            self.assertAnsweredOnce(lab.ping(self.inside))
            self.assertServes(lab)
            self.assertIn("throw", lab.server.ip("-6 route show table 64"))
            service.stop()
            self.assertEqual(lab.server.dump(), before)
        self.assertLeavesNothing(lab, ("--forward", self.part))

    def test_theWholePrefixBehind(self) -> None:
        """
        Nothing is the host's own then: it is a neighbor proxy and no more.
        """
        lab = self.makeLab()
        lab.container(PREFIX, "2001:db8::77")
        service = lab.start("--forward", PREFIX, "--http", "none")
        self.assertAnsweredOnce(lab.ping("2001:db8::77"))
        self.assertNotIn("local", lab.server.ip("-6 route show table 64"))
        service.stop()

    def test_oneAddressOfAWiderRoute(self) -> None:
        """
        As import-ndppd writes a rule for a single address: the route is for more than the prefix.
        """
        lab = self.makeLab()
        lab.container(self.part, self.inside)
        pair, other = "2001:db8::c:0:0:2/127", "2001:db8::c:0:0:3"
        service = lab.launch(
            *("--iface", "eth0", "--prefix", pair, "--exclude", other, "--forward", self.inside)
        )
        service.waitForStart()
        self.assertAnsweredOnce(lab.ping(self.inside))
        self.assertNotIn("no route leads there", service.log())
        lab.server.ip(f"-6 route del {self.part} dev br0")
        eventually(lambda: "no route leads there" in service.log())

    def test_aNeighborProxyAndNoMore(self) -> None:
        """
        With routing left as it is, and nobody listed, only what is behind is answered for; rules
        and routes are not touched.
        """
        lab = self.makeLab()
        lab.container(self.part, self.inside)
        tables = ("-6 rule show", "-6 route show table all")
        before = [lab.server.ip(table) for table in tables]
        options = ("--routing", "none", "--respond", "hosts", "--http", "none", "--echo", "kernel")
        lab.start("--forward", "auto", *options)
        self.assertAnsweredOnce(lab.ping(self.inside))
        self.assertEqual(lab.ping(ADDRESS, wait=1).received, 0)
        self.assertEqual([lab.server.ip(table) for table in tables], before)

    def test_routesAreFollowed(self) -> None:
        """
        The container goes and comes: what is behind is answered for as long as there is a route.
        """
        lab = self.makeLab()
        lab.container(self.part, self.inside)
        service = lab.start("--forward", "auto")
        self.assertAnsweredOnce(lab.ping(self.inside))
        lab.server.ip(f"-6 route del {self.part} dev br0")
        eventually(lambda: self.part not in lab.server.ip("-6 route show table 64"))
        lab.router.ip("neigh flush all")
        self.assertServes(lab, self.inside)
        lab.server.ip(f"-6 route add {self.part} dev br0")
        eventually(lambda: self.part in lab.server.ip("-6 route show table 64"))
        lab.router.ip("neigh flush all")
        self.assertAnsweredOnce(lab.ping(self.inside))
        self.assertNotServed(lab, self.inside)
        self.assertNotIn("Traceback", service.log())

    def test_withoutARouteNothingIsAnswered(self) -> None:
        """
        A part that is named and has no route is unreachable: it is neither the host's own nor sent
        back to the router; and one line says so.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/all/forwarding", 1)
        service = lab.start("--forward", self.part)
        self.assertIn(f"--forward {self.part}: no route leads there", service.log())
        self.assertIn(f"unreachable {self.part}", lab.server.ip("-6 route show table 64"))
        self.assertEqual(lab.ping(self.inside, wait=1).received, 0)
        lab.container(self.part, self.inside)
        eventually(lambda: "there is a route: it is answered for" in service.log())
        lab.router.ip("neigh flush all")
        eventually(lambda: lab.ping(self.inside).received)

    def test_withoutForwardingItIsRefused(self) -> None:
        """
        In one line that says what to do; and when it is switched off later, that is said.
        """
        lab = self.makeLab()
        lab.container(self.part, self.inside)
        lab.server.sysctl("conf/all/forwarding", 0)
        before = lab.server.dump()
        refused = lab.launch("-i", "eth0", "-p", PREFIX, "--forward", "auto")
        self.assertEqual(refused.process.wait(10), 1)
        self.assertIn(
            "prefix64: --forward auto: this host does not forward, so nothing would arrive: "
            "sysctl -w net.ipv6.conf.all.forwarding=1",
            refused.log(),
        )
        self.assertEqual(lab.server.dump(), before)
        lab.server.sysctl("conf/all/forwarding", 1)
        service = lab.start("--forward", "auto")
        self.assertAnsweredOnce(lab.ping(self.inside))
        lab.server.sysctl("conf/all/forwarding", 0)
        eventually(lambda: "does not forward any more" in service.log())
        lab.server.sysctl("conf/all/forwarding", 1)
        eventually(lambda: "forwards again" in service.log())
        lab.router.ip("neigh flush all")
        eventually(lambda: lab.ping(self.inside).received)


def withoutLifetimes(dump: str) -> str:
    """
    A dump without the seconds that routes and addresses still have.
    """
    return re.sub(r"(expires|preferred_lft|valid_lft) \d+sec", "", dump)


def withoutCounters(dump: str) -> str:
    """
    A dump without what the packet filter counts.
    """
    return re.sub(r"counter packets \d+ bytes \d+", "counter", dump)

"""
Neighbor Discovery as a real kernel on the link sees it.
"""

from __future__ import annotations

import socket
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6ND_NA,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6NDOptPrefixInfo,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether

from tests.kernel.lab import KernelTestCase, Lab, SharedLabTestCase, suiteOf
from tests.kernel.namespaces import (
    INSIDE,
    OUTSIDE,
    ROUTER_LAYER,
    ROUTER_LINK_LOCAL,
    SECOND_PREFIX,
    SERVER_LAYER,
    SERVER_LINK_LOCAL,
    eventually,
    makeLink,
)
from tests.kernel.wire import flagsOf, layerAddressIn, solicitation

ERRORS = (ICMPv6DestUnreach, ICMPv6TimeExceeded, ICMPv6ParamProblem, ICMPv6ND_Redirect)
SOLICITED, SOLICITED_OVERRIDE, OVERRIDE = 0x40, 0x60, 0x20
OWN = "2001:db8::b:1"
LISTED = "2001:db8::a:1"
RA_FROM_STRANGER = (
    Ether(src="02:00:00:00:00:66", dst="33:33:00:00:00:01")
    / IPv6(src="fe80::66", dst="ff02::1", hlim=255)
    / ICMPv6ND_RA(routerlifetime=0)
)
"""A router advertisement, by nobody's router."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class AnswerTests(SharedLabTestCase):
    """
    What is answered, and what a Linux neighbour makes of it.
    """

    own = (OWN,)
    inside = True
    options = (
        *("--prefix", SECOND_PREFIX),
        *("--exclude", "2001:db8::e:0:0/96"),
        *("--exclude", "2001:db8::1:0:0:0/80"),
    )

    def prepare(self, lab: Lab) -> None:
        """
        A site of its own for one address and for one sub-prefix.
        """
        for name in ("2001-db8--a-1", "2001-db8--aa-0-0_96"):
            (lab.directory / "sites" / name).mkdir(parents=True)
        self.options = (*self.options, "--sites", str(lab.directory / "sites"))

    def assertAdvertisement(self, packet: Any, target: str, to: str, flags: int = 0x40) -> None:
        """
        It is right in everything that the receiver looks at.
        """
        self.assertEqual((packet[Ether].src, packet[Ether].dst), (SERVER_LAYER, ROUTER_LAYER))
        self.assertEqual((packet[IPv6].src, packet[IPv6].dst), (target, to))
        self.assertEqual(packet[IPv6].hlim, 255)
        self.assertEqual(flagsOf(packet), flags)
        self.assertEqual(layerAddressIn(packet), SERVER_LAYER)
        self.assertEqual(packet[ICMPv6ND_NA].cksum, _checksum(packet))

    def theAdvertisement(self, target: str) -> Any:
        """
        The advertisement of an address; there is exactly one.
        """
        self.wire.fence()
        packets = self.wire.advertisements(target)
        self.assertEqual(len(packets), 1, str(self.wire))
        return packets[0]

    def assertSilent(self, *targets: str) -> None:
        """
        Nobody answers for any of the addresses.
        """
        for target in targets:
            self.wire.send(solicitation(target))
        self.wire.fence()
        answered = [target for target in targets if self.wire.advertisements(target)]
        self.assertEqual(answered, [])

    def assertAnswered(self, *targets: str) -> None:
        """
        Each of the addresses is answered for exactly once.
        """
        for target in targets:
            self.wire.send(solicitation(target))
        self.wire.fence()
        self.assertEqual(
            [len(self.wire.advertisements(target)) for target in targets], [1] * len(targets)
        )

    def assertNoErrors(self) -> None:
        """
        The server's kernel sent no ICMPv6 error and no redirect.
        """
        self.wire.fence()
        found = [p.summary() for p in self.wire.fromServer() if any(e in p for e in ERRORS)]
        self.assertEqual(found, [])

    def test_case01_solicitationFromLinkLocalAddress(self) -> None:
        """
        What a program on the router asks is answered by exactly one advertisement, with S=1.
        """
        target = "2001:db8::101"
        said = self.lab.router.run("ndisc6", "-m", "-r", "1", "-w", "2000", target, "eth0").stdout
        self.assertIn(f"Target link-layer address: {SERVER_LAYER.upper()}", said)
        self.assertIn(f"from {target}", said)
        self.assertAdvertisement(self.theAdvertisement(target), target, ROUTER_LINK_LOCAL)
        self.assertEqual(len(self.wire.solicitations(target)), 1)

    def test_case02_solicitationFromGlobalAddressInside(self) -> None:
        """
        The router's kernel asks from a global address in the prefix, and is answered before any
        solicitation of our own.
        """
        target = "2001:db8::102"
        self.assertAnsweredOnce(self.lab.ping(target, "-I", INSIDE))
        self.assertEqual(self.wire.solicitations(target)[0][IPv6].src, INSIDE)
        self.assertAdvertisement(self.theAdvertisement(target), target, INSIDE)
        # The kernel reports its groups when it likes, behind a hop-by-hop header.
        sent = (p for p in self.wire.fromServer() if IPv6ExtHdrHopByHop not in p)
        self.assertIn(ICMPv6ND_NA, next(sent))
        self.assertEqual(self.wire.solicitations(INSIDE), [])

    def test_case03_solicitationFromGlobalAddressOutside(self) -> None:
        """
        The same from an address outside the prefix.
        """
        target = "2001:db8::103"
        self.assertAnsweredOnce(self.lab.ping(target, "-I", OUTSIDE))
        self.assertEqual(self.wire.solicitations(target)[0][IPv6].src, OUTSIDE)
        self.assertAdvertisement(self.theAdvertisement(target), target, OUTSIDE)

    def test_case05_kernelProbesReachability(self) -> None:
        """
        The router's kernel probes by unicast, and the entry becomes reachable.
        """
        target = "2001:db8::105"
        router = self.lab.router
        router.ip(f"neigh replace {target} lladdr {SERVER_LAYER} dev eth0 nud probe")
        eventually(lambda: "REACHABLE" in router.neighbor(target))
        self.assertEqual(self.wire.solicitations(target)[0][IPv6].dst, target)
        self.assertAdvertisement(self.theAdvertisement(target), target, ROUTER_LINK_LOCAL)

    def test_case06_unicastWithoutOptions(self) -> None:
        """
        Unreachability detection without a Source Link-Layer Address option is answered, with our
        link-layer address all the same, and only once: the kernel is silent.
        """
        target = "2001:db8::106"
        self.wire.send(solicitation(target, unicast=True, option=False))
        self.assertAdvertisement(self.theAdvertisement(target), target, ROUTER_LINK_LOCAL)
        self.assertNoErrors()

    def test_case07_unicastWithoutOptionsFromGlobalAddress(self) -> None:
        """
        The same from a global address: the kernel sends neither a redirect nor an error.
        """
        for target, source in (("2001:db8::107", INSIDE), ("2001:db8::1:107", OUTSIDE)):
            self.wire.send(solicitation(target, source, unicast=True, option=False))
            self.assertAdvertisement(self.theAdvertisement(target), target, source)
        self.assertNoErrors()
        self.assertEqual(self.wire.solicitations(INSIDE), [])

    def test_case15_manyTargets(self) -> None:
        """
        A thousand solicitations in one go get a thousand advertisements.
        """
        targets = {f"2001:db8::15:{number:x}" for number in range(1, 1001)}
        for target in sorted(targets):
            self.wire.send(solicitation(target))
        self.wire.fence()
        answered = [p.tgt for p in self.wire.fromServer() if ICMPv6ND_NA in p and p.tgt in targets]
        self.assertEqual(len(answered), len(targets))
        self.assertEqual(set(answered), targets)

    def test_case16_twoRouters(self) -> None:
        """
        Two routers that ask for the same address are both answered.
        """
        target, other = "2001:db8::116", "02:00:00:00:00:77"
        self.wire.send(solicitation(target))
        self.wire.send(solicitation(target, "fe80::77", other))
        self.wire.fence()
        to = [(p[Ether].dst, p[IPv6].dst) for p in self.wire.advertisements(target)]
        self.assertEqual(to, [(ROUTER_LAYER, ROUTER_LINK_LOCAL), (other, "fe80::77")])

    def test_case17_edgesOfThePrefix(self) -> None:
        """
        The last address is ours; those before and behind the prefix are not.
        """
        self.assertAnswered("2001:db8::2", "2001:db8::ffff:ffff:ffff:ffff")
        self.assertSilent("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:0:1::")

    def test_case19_twoPrefixes(self) -> None:
        """
        An address of the second prefix is found, and answers.
        """
        self.assertAnsweredOnce(self.lab.ping("2001:db8:1::119"))
        self.assertIn("2001:db8:1::119", self.lab.fetch("http://[2001:db8:1::119]/"))
        self.assertAnswered("2001:db8:1::2:119")
        self.assertSilent("2001:db8:2::119")

    def test_case21_anotherHostTakesAnUnlistedAddress(self) -> None:
        """
        The kernel of another host adds an address that no host rule covers: its detection succeeds.
        """
        self.addCleanup(self.lab.router.ip, "address del 2001:db8::121/128 dev eth0")
        self.lab.router.ip("address add 2001:db8::121/128 dev eth0")
        line = eventually(lambda: self._detected("2001:db8::121"))
        self.assertNotIn("dadfailed", line)
        self.assertEqual(self.wire.solicitations("2001:db8::121")[0][IPv6].src, "::")
        self.assertEqual(self.wire.advertisements("2001:db8::121"), [])

    def test_case20_anotherHostTakesAListedAddress(self) -> None:
        """
        The kernel of another host adds addresses that a host rule covers: it learns that they are
        taken, from an advertisement to all nodes.
        """
        for address in (LISTED, "2001:db8::aa:0:20"):
            self.addCleanup(self.lab.router.ip, f"address del {address}/128 dev eth0")
            self.lab.router.ip(f"address add {address}/128 dev eth0")
            self.assertIn("dadfailed", eventually(lambda a=address: self._detected(a)))
            defence = self.wire.advertisements(address)[0]
            self.assertEqual(defence[Ether].dst, "33:33:00:00:00:01")
            self.assertEqual((defence[IPv6].src, defence[IPv6].dst), (address, "ff02::1"))
            self.assertEqual(flagsOf(defence), OVERRIDE)
            self.assertEqual(layerAddressIn(defence), SERVER_LAYER)

    def _detected(self, address: str) -> str:
        """
        The line of a router's address, once duplicate address detection is over.
        """
        line = self.lab.router.addresses()[address]
        return line if "dadfailed" in line or "tentative" not in line else ""

    def test_case25_ownNewAddressPassesItsDetection(self) -> None:
        """
        The server adds addresses of the prefix to itself, a listed one too: none is a duplicate.
        """
        for address in ("2001:db8::125", "2001:db8::aa:0:25"):
            self.addCleanup(self.lab.server.ip, f"address del {address}/128 dev eth0")
            self.lab.server.ip(f"address add {address}/128 dev eth0")
            eventually(lambda a=address: "tentative" not in self.lab.server.addresses()[a])
            self.assertNotIn("dadfailed", self.lab.server.addresses()[address])
            self.assertEqual(self.wire.solicitations(address)[0][IPv6].src, "::")
            self.assertEqual(
                [p for p in self.wire.advertisements(address) if p[IPv6].dst == "ff02::1"], []
            )

    def test_case27_54_ownAddressComesAndGoes(self) -> None:
        """
        An address added while running is the kernel's to answer for, and only the kernel's; once
        removed it is ours again.
        """
        target = "2001:db8::127"
        self.wire.send(solicitation(target))
        self.assertEqual(flagsOf(self.theAdvertisement(target)), SOLICITED)
        self.lab.server.ip(f"address add {target}/128 dev eth0 nodad")
        eventually(lambda: self._answers(target) == [SOLICITED_OVERRIDE])
        self.assertAnsweredOnce(self.lab.ping(target, count=3), 3)
        self.lab.server.ip(f"address del {target}/128 dev eth0")
        eventually(lambda: self._answers(target) == [SOLICITED])

    def _answers(self, target: str) -> list[int]:
        """
        The flags of all advertisements that a new solicitation brings.
        """
        wire = self.lab.wire()
        wire.send(solicitation(target))
        wire.fence()
        return [flagsOf(packet) for packet in wire.advertisements(target)]

    def test_case49_ownAddress(self) -> None:
        """
        The server's own address is answered for once, by its kernel.
        """
        self.assertEqual(self._answers(OWN), [SOLICITED_OVERRIDE])
        self.assertAnsweredOnce(self.lab.ping(OWN, count=3), 3)

    def test_case51_subnetRouterAnycast(self) -> None:
        """
        The subnet-router anycast address is nobody's here.
        """
        self.assertSilent("2001:db8::", "2001:db8:1::")

    def test_case52_reservedAnycast(self) -> None:
        """
        Neither are the reserved anycast addresses; their neighbours are ours.
        """
        self.assertSilent("2001:db8::fdff:ffff:ffff:ff80", "2001:db8::fdff:ffff:ffff:ffff")
        self.assertAnswered("2001:db8::fdff:ffff:ffff:ff7f", "2001:db8::fe00:0:0:0")

    def test_case55_excludedPrefix(self) -> None:
        """
        Silence inside an excluded prefix, an answer at both of its edges.
        """
        self.assertSilent("2001:db8:0:0:1::", "2001:db8::1:ffff:ffff:ffff", "2001:db8::e:1:1")
        self.assertAnswered("2001:db8::ffff:ffff:ffff", "2001:db8:0:0:2::")

    def test_case56_solicitedMakesReachable(self) -> None:
        """
        The router's entry is reachable after a solicited advertisement.
        """
        target = "2001:db8::156"
        self.assertAnsweredOnce(self.lab.ping(target))
        entry = self.lab.router.neighbor(target)
        self.assertIn(f"lladdr {SERVER_LAYER}", entry)
        self.assertIn("REACHABLE", entry)
        self.assertNotIn("router", entry)

    def test_case56_57_defenceMakesStale(self) -> None:
        """
        A defence has S=0: it corrects a wrong entry of the router, and makes it stale.
        """
        router = self.lab.router
        router.ip(f"neigh replace {LISTED} lladdr 02:00:00:00:00:99 dev eth0 nud reachable")
        self.addCleanup(router.ip, f"neigh del {LISTED} dev eth0", check=False)
        self.wire.send(solicitation(LISTED, "::", "02:00:00:00:00:07", option=False))
        self.wire.wait(lambda p: ICMPv6ND_NA in p and p.tgt == LISTED, "the defence")
        eventually(lambda: f"lladdr {SERVER_LAYER} STALE" in router.neighbor(LISTED))

    def test_case57_to_61_flags(self) -> None:
        """
        The flags as bytes: S for any address, S and O for a listed one, O alone in its defence, and
        never R; nothing solicited goes to a group; our link-layer address is always there.
        """
        addresses = ("2001:db8::161", LISTED, "2001:db8::aa:0:1")
        for address in addresses:
            self.wire.send(solicitation(address))
            self.wire.send(solicitation(address, "::", option=False))
        self.wire.fence()
        flags = [[flagsOf(p) for p in self.wire.advertisements(a)] for a in addresses]
        self.assertEqual(flags, [[0x40], [0x60, 0x20], [0x60, 0x20]])
        for packet in self.wire.fromServer():
            if ICMPv6ND_NA in packet:
                multicast = packet[IPv6].dst.startswith("ff")
                self.assertFalse(multicast and flagsOf(packet) & SOLICITED)
                self.assertEqual(layerAddressIn(packet), SERVER_LAYER)

    def test_case60_realOwnerWins(self) -> None:
        """
        O=0 for an address that no host rule covers: an advertisement does not take an entry of the
        router away from the real owner. O=1 for a listed one does.
        """
        router, wrong = self.lab.router, "02:00:00:00:00:99"
        for target, owner in (("2001:db8::160", wrong), ("2001:db8::aa:0:60", SERVER_LAYER)):
            router.ip(f"neigh replace {target} lladdr {wrong} dev eth0 nud stale")
            self.addCleanup(router.ip, f"neigh del {target} dev eth0", check=False)
            self.wire.send(solicitation(target))
            self.theAdvertisement(target)
            eventually(lambda t=target, o=owner: f"lladdr {o}" in router.neighbor(t))


class AdvertisementOptionTests(KernelTestCase):
    """
    The options that change advertisements.
    """

    def test_dadDefend(self) -> None:
        """
        With C{--dad defend} another host's detection fails for every address of the prefix. With
        C{--na-source link-local} advertisements come from the link-local address.
        """
        lab = self.makeLab()
        lab.start("--dad", "defend", "--na-source", "link-local")
        wire, address = lab.wire(), "2001:db8::20"
        lab.router.ip(f"address add {address}/128 dev eth0")
        eventually(lambda: "dadfailed" in lab.router.addresses()[address])
        defence = wire.advertisements(address)[0]
        self.assertEqual((defence[IPv6].src, defence[IPv6].dst), (SERVER_LINK_LOCAL, "ff02::1"))
        self.assertEqual(flagsOf(defence), 0)
        self.assertAnsweredOnce(lab.ping("2001:db8::21"))
        self.assertEqual(wire.advertisements("2001:db8::21")[0][IPv6].src, SERVER_LINK_LOCAL)
        lab.server.ip("address add 2001:db8::25/128 dev eth0")
        eventually(lambda: "tentative" not in lab.server.addresses()["2001:db8::25"])
        self.assertNotIn("dadfailed", lab.server.addresses()["2001:db8::25"])

    def test_dadIgnore(self) -> None:
        """
        With C{--dad ignore} it succeeds for a listed address too.
        """
        lab = self.makeLab()
        (lab.directory / "sites" / "2001-db8--20").mkdir(parents=True)
        lab.start("--dad", "ignore", "--sites", str(lab.directory / "sites"))
        lab.router.ip("address add 2001:db8::20/128 dev eth0")
        eventually(lambda: "tentative" not in lab.router.addresses()["2001:db8::20"])
        self.assertNotIn("dadfailed", lab.router.addresses()["2001:db8::20"])

    def test_case50_gatewayInside(self) -> None:
        """
        A gateway inside the prefix is not answered for, stays reachable from the server, and echo
        from it is answered.
        """
        lab = self.makeLab(OWN, inside=True)
        lab.server.ip("route add 2001:db8::/64 dev eth0")
        lab.server.ip(f"route replace default via {INSIDE} dev eth0")
        lab.start()
        wire = lab.wire()
        wire.send(solicitation(INSIDE, "fe80::77", "02:00:00:00:00:77"))
        wire.fence()
        self.assertEqual(wire.advertisements(INSIDE), [])
        self.assertEqual(lab.server.run("ping", "-6", "-c1", "-W2", INSIDE).returncode, 0)
        self.assertEqual(lab.server.run("ping", "-6", "-c1", "-W2", OUTSIDE).returncode, 0)
        self.assertAnsweredOnce(lab.ping("2001:db8::50", "-I", INSIDE))
        lab.server.ip(f"route replace default via {ROUTER_LINK_LOCAL} dev eth0")
        lab.server.ip("route add 2001:db8:5::/64 via 2001:db8::fe dev eth0")
        eventually(lambda: not self._isAnswered(lab, "2001:db8::fe"), what="a gateway, too")
        lab.server.ip("route del 2001:db8:5::/64")
        lab.server.ip("link set eth0 down")
        lab.server.ip("link set eth0 up")
        eventually(lambda: self._isAnswered(lab, "2001:db8::50"), what="the link is back")
        for gateway in (INSIDE, "2001:db8::fe"):
            self.assertFalse(self._isAnswered(lab, gateway), "a route that went made it ours")

    def test_case53_routersOwnAddress(self) -> None:
        """
        The router's own address inside the prefix, which is no next hop, is known as soon as the
        router solicits from it: it is not answered for, and the server reaches it.
        """
        lab = self.makeLab(OWN, inside=True)
        lab.server.ip("route add 2001:db8::/64 dev eth0")
        lab.start()
        self.assertTrue(self._isAnswered(lab, INSIDE))
        self.assertAnsweredOnce(lab.ping("2001:db8::53", "-I", INSIDE))
        self.assertFalse(self._isAnswered(lab, INSIDE))
        self.assertTrue(self._isAnswered(lab, "2001:db8::53"))
        self.assertEqual(lab.server.run("ping", "-6", "-c1", "-W2", INSIDE).returncode, 0)

    def test_routedElsewhere(self) -> None:
        """
        A part of the prefix that the host routes to another interface is not answered for, and its
        packets go where that route leads, also if it comes while we run; when it goes, the part is
        ours.
        """
        lab = self.makeLab()
        lab.server.ip("link add br0 type bridge")
        lab.server.ip("link set br0 up")
        lab.server.ip("route add 2001:db8::c:0/112 dev br0")
        lab.start()
        lab.server.ip("route add 2001:db8::d:0/112 dev br0")
        self.assertTrue(self._isAnswered(lab, "2001:db8::e:1"))
        self.assertFalse(self._isAnswered(lab, "2001:db8::c:1"))
        eventually(lambda: not self._isAnswered(lab, "2001:db8::d:1"))
        routes = lab.server.ip("-6 route show table 64")
        for part in ("2001:db8::c:0/112", "2001:db8::d:0/112"):
            self.assertIn(f"throw {part} ", routes)
        lab.server.ip("route del 2001:db8::d:0/112 dev br0")
        eventually(lambda: self._isAnswered(lab, "2001:db8::d:1"), what="ours again")
        self.assertFalse(self._isAnswered(lab, "2001:db8::c:1"))

    def test_strangerOnAnotherLink(self) -> None:
        """
        A router advertisement on another link of the host makes its kernel believe that halves of
        the prefix are there: they stay ours. A part in which the host has an address there is not.
        """
        lab = self.makeLab()
        makeLink(lab.router, lab.server, "eth1")
        for end in (lab.router, lab.server):
            end.ip("link set dev eth1 addrgenmode eui64 down")
            end.ip("link set dev eth1 up")
        lab.server.sysctl("conf/eth1/accept_ra", 2)
        lab.start()
        one, other = (
            ICMPv6NDOptPrefixInfo(prefix=half, prefixlen=65, L=1, A=0)
            for half in ("2001:db8::", "2001:db8:0:0:8000::")
        )
        with lab.router.entered():
            stranger = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            stranger.bind(("eth1", 0))
        self.addCleanup(stranger.close)

        def isBelieved() -> bool:
            stranger.send(bytes(RA_FROM_STRANGER / one / other))
            return "8000::/65" in lab.server.ip("-6 route show dev eth1")

        eventually(isBelieved, what="the kernel has the routes")
        lab.server.ip("address add 2001:db8::c:0:0:1/80 dev eth1 nodad")
        eventually(lambda: not self._isAnswered(lab, "2001:db8::c:0:0:2"), what="the host's own")
        for target in ("2001:db8::e:1", "2001:db8:0:0:8000::1"):
            self.assertTrue(self._isAnswered(lab, target), target)
        self.assertNotIn("/65", lab.server.ip("-6 route show table 64"))

    def _isAnswered(self, lab: Lab, target: str) -> bool:
        """
        Tell whether a solicitation from a stranger is answered.
        """
        wire = lab.wire()
        wire.send(solicitation(target, "fe80::77", "02:00:00:00:00:77"))
        wire.fence()
        return bool(wire.advertisements(target))


def _checksum(packet: Any) -> int:
    """
    The checksum of an ICMPv6 message, as scapy has it.
    """
    again = packet[IPv6].copy()
    del again[ICMPv6ND_NA].cksum
    return int(IPv6(bytes(again))[ICMPv6ND_NA].cksum)

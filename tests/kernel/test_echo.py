"""
Echo: exactly one reply to each request, whoever answers it.
"""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

from tests.kernel.lab import KernelTestCase, Lab, SharedLabTestCase, suiteOf
from tests.kernel.namespaces import (
    INSIDE,
    OUTSIDE,
    ROUTER_LAYER,
    SECOND_PREFIX,
    SERVER_LAYER,
    SERVER_LINK_LOCAL,
    eventually,
)

OWN = "2001:db8::b:1"
EXCLUDED = "2001:db8::e:1"
CONNECTION_TRACKING = """
table inet tracking {
    chain input {
        type filter hook input priority 0; policy accept;
        ct state established,related accept
    }
}
"""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class EchoCases:
    """
    What holds whoever answers: the protocol, or the kernel.
    """

    def assertReplies(self, address: str, *options: str) -> None:
        """
        Three requests get three replies, unchanged (which ping checks itself).
        """
        self.assertAnsweredOnce(self.lab.ping(address, *options, count=3), 3)

    def replyTo(self, address: str, *options: str) -> Any:
        """
        The one reply to a ping, as it is on the wire.
        """
        self.assertAnsweredOnce(self.lab.ping(address, *options))
        self.wire.fence()
        replies = [p for p in self.wire.fromServer() if ICMPv6EchoReply in p]
        self.assertEqual(len(replies), 1, str(self.wire))
        return replies[0]

    def test_case75_fromOutside(self) -> None:
        """
        A request from outside the prefix gets one reply, from the address that was asked.
        """
        reply = self.replyTo("2001:db8::75", "-I", OUTSIDE)
        self.assertEqual((reply[IPv6].src, reply[IPv6].dst), ("2001:db8::75", OUTSIDE))
        self.assertEqual((reply[Ether].src, reply[Ether].dst), (SERVER_LAYER, ROUTER_LAYER))

    def test_case75_fromInside(self) -> None:
        """
        So does one from inside.
        """
        reply = self.replyTo("2001:db8::1:75", "-I", INSIDE)
        self.assertEqual((reply[IPv6].src, reply[IPv6].dst), ("2001:db8::1:75", INSIDE))

    def test_case75_secondPrefix(self) -> None:
        """
        And one to an address of the second prefix.
        """
        self.assertReplies("2001:db8:1::75")

    def test_case76_large(self) -> None:
        """
        1,400 bytes come back in one packet, 4,000 in fragments, once.
        """
        self.assertReplies("2001:db8::76", "-s", "1400")
        self.assertReplies("2001:db8::76", "-s", "4000")
        self.assertReplies("2001:db8::76", "-s", "1452")
        self.assertReplies("2001:db8::76", "-s", "1453")

    def test_case78_toAllNodes(self) -> None:
        """
        Echo to all nodes is answered by the kernel alone, from its own address.
        """
        said = self.lab.ping("ff02::1%eth0", "-I", "eth0", "-L")
        self.wire.fence()
        replies = [p[IPv6].src for p in self.wire.fromServer() if ICMPv6EchoReply in p]
        self.assertEqual(replies, [SERVER_LINK_LOCAL], said.text)

    def test_case82_dataComesBackUnchanged(self) -> None:
        """
        Patterns and odd lengths come back as they were sent.
        """
        for size, pattern in (("0", "00"), ("1", "ff"), ("57", "a55a"), ("1399", "0123456789")):
            self.assertReplies("2001:db8::82", "-s", size, "-p", pattern)

    def test_case82_headerComesBack(self) -> None:
        """
        So do the identifier, the sequence number and the traffic class.
        """
        self.wire.send(
            Ether(src=ROUTER_LAYER, dst=SERVER_LAYER)
            / IPv6(src=OUTSIDE, dst="2001:db8::1:82", tc=0xB9)
            / ICMPv6EchoRequest(id=0xFFFE, seq=0x8001, data=b"\x00\xff\x01")
        )
        reply = self.wire.wait(lambda packet: ICMPv6EchoReply in packet)
        self.assertEqual((reply.id, reply.seq, reply.data), (0xFFFE, 0x8001, b"\x00\xff\x01"))
        self.assertEqual(reply[IPv6].tc, 0xB9)

    def test_case83_ownAddress(self) -> None:
        """
        The server's own address inside the prefix replies once.
        """
        self.assertReplies(OWN)
        self.assertReplies(OWN, "-s", "4000")

    def test_case83_ownAddressAddedWhileRunning(self) -> None:
        """
        One that is added while running does, too, and goes on when it is removed.
        """
        address = "2001:db8::b:83"
        self.assertReplies(address)
        self.lab.server.ip(f"address add {address}/128 dev eth0 nodad")
        eventually(lambda: self.isAnsweredOnce(address))
        self.assertReplies(address)
        self.lab.server.ip(f"address del {address}/128 dev eth0")
        eventually(lambda: self.isAnsweredOnce(address))
        self.assertReplies(address)

    def isAnsweredOnce(self, address: str) -> bool:
        """
        Tell whether two requests get two replies. For a moment after an address changed, both or
        nobody may answer.
        """
        said = self.lab.ping(address, count=2, wait=0.5)
        return (said.received, said.duplicates) == (2, 0)

    def test_case84_connectionTracking(self) -> None:
        """
        Fragmented echo is answered once though connection tracking puts fragments together.
        """
        self.lab.server.run("nft", CONNECTION_TRACKING)
        self.addCleanup(self.lab.server.run, "nft", "delete table inet tracking")
        self.assertReplies("2001:db8::84", "-s", "4000")
        self.assertReplies("2001:db8::84", "-s", "1400")
        self.assertReplies(OWN, "-s", "4000")

    def test_case77_excluded(self) -> None:
        """
        An excluded address gets no answer to echo, TCP or UDP, neither from us nor from the kernel.
        """
        for payload in (ICMPv6EchoRequest(), TCP(dport=80), UDP(dport=33434)):
            self.wire.send(
                Ether(src=ROUTER_LAYER, dst=SERVER_LAYER)
                / IPv6(src=OUTSIDE, dst=EXCLUDED)
                / payload
            )
        self.wire.fence()
        sent = [
            packet.summary()
            for packet in self.wire.fromServer()
            if packet[IPv6].src == EXCLUDED or packet[IPv6].dst == OUTSIDE
        ]
        self.assertEqual(sent, [])


class ProtocolEchoTests(EchoCases, SharedLabTestCase):
    """
    The default: the protocol answers, and the guard keeps the kernel from it.
    """

    own = (OWN,)
    inside = True
    options = ("--prefix", SECOND_PREFIX, "--exclude", "2001:db8::e:0/112")

    def test_guardDropsWhatWeAnswer(self) -> None:
        """
        The start says who answers, and it is the protocol: its replies leave the kernel's guard
        alone, which counts what it drops.
        """
        self.assertIn("ping answered by the protocol", self.service.log())
        before = self._dropped()
        self.assertReplies("2001:db8::64")
        self.assertEqual(self._dropped() - before, 3)

    def _dropped(self) -> int:
        """
        How many requests the guard has dropped for the first prefix.
        """
        text = self.lab.server.run("nft", "list", "table", "ip6", "prefix64-eth0").stdout
        rule = next(line for line in text.splitlines() if "2001:db8::/64" in line)
        return int(rule.partition("packets ")[2].split()[0])


class KernelEchoTests(EchoCases, SharedLabTestCase):
    """
    C{--echo kernel}: no guard, and the kernel answers.
    """

    own = (OWN,)
    inside = True
    options = (*ProtocolEchoTests.options, "--echo", "kernel")

    def test_noGuard(self) -> None:
        """
        The start says who answers, and there is no table of ours.
        """
        self.assertIn("ping answered by the kernel", self.service.log())
        self.assertEqual(self.lab.server.run("nft", "list", "ruleset").stdout, "")


class NoEchoTests(SharedLabTestCase):
    """
    C{--echo none}: nobody answers for the prefix.
    """

    own = (OWN,)
    options = ("--echo", "none")

    def prepare(self, lab: Lab) -> None:
        """
        Connection tracking is the hardest case: fragments are put together early.
        """
        lab.server.run("nft", CONNECTION_TRACKING)

    def test_silent(self) -> None:
        """
        Whole and fragmented requests get no reply; the address is found and serves all the same.
        """
        address = "2001:db8::cafe"
        self.assertIn(address, self.lab.fetch(f"http://[{address}]/"))
        for size in ("56", "4000"):
            self.assertEqual(self.lab.ping(address, "-s", size, wait=0.2).received, 0)
        self.wire.fence()
        self.assertEqual([p for p in self.wire.fromServer() if ICMPv6EchoReply in p], [])

    def test_ownAddressAnswers(self) -> None:
        """
        The server's own address still replies, once.
        """
        self.assertAnsweredOnce(self.lab.ping(OWN, count=3), 3)
        self.assertAnsweredOnce(self.lab.ping(OWN, "-s", "4000", count=3), 3)

    def test_fragmentedWithoutConnectionTracking(self) -> None:
        """
        Fragmented requests get no reply where nothing puts fragments together early either.
        """
        self.lab.server.run("nft", "delete table inet tracking")
        self.addCleanup(self.lab.server.run, "nft", CONNECTION_TRACKING)
        self.assertEqual(self.lab.ping("2001:db8::cafe", "-s", "4000", wait=0.2).received, 0)
        self.assertAnsweredOnce(self.lab.ping(OWN, "-s", "4000"))


class EchoToLinkLocalTests(KernelTestCase):
    """
    Echo that is not for the prefix.
    """

    def test_linkLocalReplies(self) -> None:
        """
        The server's link-local address replies once, before, while and after we run.
        """
        lab = self.makeLab()
        address = f"{SERVER_LINK_LOCAL}%eth0"
        self.assertAnsweredOnce(lab.ping(address, count=2), 2)
        service = lab.start()
        self.assertAnsweredOnce(lab.ping(address, count=2), 2)
        service.stop()
        self.assertAnsweredOnce(lab.ping(address, count=2), 2)

"""
What goes over the link, seen and sent by a packet socket. Packets are made and read by scapy, which
knows the protocols from somebody else's reading of the standards.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from select import select
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether

from tests.kernel.namespaces import ROUTER_LAYER, ROUTER_LINK_LOCAL, SERVER_LAYER, Namespace

_ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33
_BUFFER = 16 << 20
_ETHERTYPE = b"\x86\xdd"
_SECONDS = 3.0


class Wire:
    """
    One end of the link.

    @ivar seen: every IPv6 packet so far, in both directions, as scapy's L{Ether}.
    """

    def __init__(
        self, namespace: Namespace, interface: str = "eth0", seconds: float = _SECONDS
    ) -> None:
        """
        @param seconds: how long L{wait} waits.
        """
        self._seconds = seconds
        with namespace.entered():
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
            )
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((interface, _ETH_P_ALL))
        self.seen: list[Any] = []
        self._fences = 0

    def close(self) -> None:
        """
        Close the socket.
        """
        self._socket.close()

    def send(self, packet: Any) -> None:
        """
        Send a packet, from its Ethernet header on.
        """
        self._socket.send(bytes(packet))

    def frames(self) -> Iterator[bytes]:
        """
        Take what has come, unread.
        """
        while True:
            try:
                frame = self._socket.recv(65535)
            except BlockingIOError:
                return
            if frame[12:14] == _ETHERTYPE:
                yield frame

    def drain(self) -> None:
        """
        Take what has come.
        """
        self.seen.extend(map(Ether, self.frames()))

    def wait(self, wanted: Callable[[Any], bool], what: str = "") -> Any:
        """
        Wait for a packet, and return the first that fits of all that were seen.
        """
        looked = 0
        deadline = time.monotonic() + self._seconds
        while True:
            self.drain()
            for packet in self.seen[looked:]:
                if wanted(packet):
                    return packet
            looked = len(self.seen)
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no such packet: {what}; seen:\n{self}")
            select([self._socket], [], [], left)

    def fence(self) -> None:
        """
        Ask for an address that is answered for, and wait for the answer: whatever was to be said to
        what was sent before has been said then, for packets are taken in their order.
        """
        self._fences += 1
        target = f"2001:db8::fe9c:e:{self._fences:x}"
        self.send(solicitation(target))
        self.wait(lambda packet: ICMPv6ND_NA in packet and packet.tgt == target, "the fence")

    def __str__(self) -> str:
        return "\n".join(packet.summary() for packet in self.seen)

    def fromServer(self) -> Iterator[Any]:
        """
        The packets that came from the server's link-layer address.
        """
        self.drain()
        return (packet for packet in self.seen if packet[Ether].src == SERVER_LAYER)

    def advertisements(self, target: str) -> list[Any]:
        """
        The advertisements of an address, by whomever.
        """
        self.drain()
        target = canonical(target)
        return [p for p in self.seen if ICMPv6ND_NA in p and p[ICMPv6ND_NA].tgt == target]

    def solicitations(self, target: str) -> list[Any]:
        """
        The solicitations for an address, by whomever.
        """
        self.drain()
        return [p for p in self.seen if ICMPv6ND_NS in p and p[ICMPv6ND_NS].tgt == target]


def canonical(address: str) -> str:
    """
    The text of an address that scapy has for it, too (RFC 5952).
    """
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


def group(target: str) -> str:
    """
    The solicited-node group of an address (RFC 4291 2.7.1).
    """
    last = socket.inet_pton(socket.AF_INET6, target)[-3:]
    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + last)


def solicitation(
    target: str,
    source: str = ROUTER_LINK_LOCAL,
    layer: str = ROUTER_LAYER,
    unicast: bool = False,
    option: bool = True,
) -> Any:
    """
    A Neighbor Solicitation.

    @param source: its IPv6 source; C{::} makes it a duplicate address probe.
    @param layer: the sender's link-layer address.
    @param unicast: whether it goes to the target itself, as unreachability detection does.
    @param option: whether it has a Source Link-Layer Address option.
    """
    destination = target if unicast else group(target)
    last = socket.inet_pton(socket.AF_INET6, destination)[-4:]
    to = SERVER_LAYER if unicast else "33:33:" + last.hex(":")
    packet = (
        Ether(src=layer, dst=to)
        / IPv6(src=source, dst=destination, hlim=255)
        / ICMPv6ND_NS(tgt=target)
    )
    return packet / ICMPv6NDOptSrcLLAddr(lladdr=layer) if option else packet


def layerAddressIn(advertisement: Any) -> str | None:
    """
    The value of the Target Link-Layer Address option.
    """
    option = advertisement.getlayer(ICMPv6NDOptDstLLAddr)
    return None if option is None else str(option.lladdr)


def flagsOf(advertisement: Any) -> int:
    """
    The byte with the flags R, S and O (RFC 4861 4.4).
    """
    return bytes(advertisement[ICMPv6ND_NA])[4]

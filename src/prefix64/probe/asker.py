"""
Who asks, and whether it makes sense: everything that is checked before anything is sent.
"""

from __future__ import annotations

import fcntl
import shlex
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from prefix64.addressing import Prefix, formatAddress, parseAddress
from prefix64.errors import AddressError, InterfaceError, ProbeError
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.options.values import PORTS
from prefix64.routing.entries import RouteKind

_LINK_LOCAL = Prefix(parseAddress("fe80::"), 10)
_MULTICAST = Prefix(parseAddress("ff00::"), 8)
_IPV4_MAPPED = Prefix(parseAddress("::ffff:0:0"), 96)
_SO_BINDTODEVICE = 25
_DISCARD = 9

_SIOCGIFFLAGS = 0x8913
_IFF_RUNNING = 0x40


@dataclass(frozen=True)
class Asker:
    """
    The one who asks.

    @ivar link: the interface.
    @ivar target: the address that is asked for.
    @ivar source: where solicitations come from.
    @ivar echoSource: where Echo Requests come from.
    """

    link: Link
    target: int
    source: int
    echoSource: int


def kernelsSource(target: int, link: Link) -> int | None:
    """
    Ask the kernel which source address it would take (RFC 6724). Nothing is sent.

    @return: L{None} if it has no route to the target on that interface.
    """
    asking = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        asking.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, link.name.encode())
        asking.connect((formatAddress(target), _DISCARD, 0, link.index))
        return parseAddress(asking.getsockname()[0].partition("%")[0])
    except OSError:
        return None
    finally:
        asking.close()


def hasCarrier(link: Link) -> bool:
    """
    Tell whether an interface that is up can send: a cable is in, the other end is up.
    """
    asking = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        request = struct.pack("16sH14x", link.name.encode(), 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(asking, _SIOCGIFFLAGS, request))
        return bool(flags & _IFF_RUNNING)
    except OSError:
        return True
    finally:
        asking.close()


@dataclass(frozen=True)
class Host:
    """
    What is asked about this host, each replaceable by a fake.

    @ivar sourceFor: see L{kernelsSource}.
    @ivar hasCarrier: see L{hasCarrier}.
    """

    kernel: IRoutingKernel
    sourceFor: Callable[[int, Link], int | None] = kernelsSource
    hasCarrier: Callable[[Link], bool] = hasCarrier


def findAsker(host: Host, address: str, interface: str, source: str | None) -> Asker:
    """
    Find the interface and the source addresses.

    @param address: what the user wants to probe.
    @param source: where to ask from, or L{None} for the interface's link-local address.
    @raise AddressError: an address is none, or is none that can be asked for.
    @raise InterfaceError: the interface is missing, down, or not Ethernet.
    @raise ProbeError: the address is this host's own, or there is no address to ask from.
    """
    target = readTarget(address)
    link = _findLink(host, interface)
    own = {(one.interface, one.address) for one in host.kernel.addresses()}
    _refuseOwn(host.kernel, target, link, own)
    if source is not None:
        chosen = _readSource(source, link, own)
        return Asker(link, target, chosen, chosen)
    linkLocal = _linkLocalOf(link, own)
    return Asker(link, target, linkLocal, host.sourceFor(target, link) or linkLocal)


def readTarget(text: str) -> int:
    """
    Read the address that is to be probed.

    @raise AddressError: it is no IPv6 address, or is none that a neighbour can have.
    """
    target = parseAddress(text)
    if target in _MULTICAST:
        raise AddressError(f"{text!r} is multicast: nobody answers solicitations for a group")
    if target in (0, 1):
        kind = "the loopback address" if target else "the unspecified address"
        raise AddressError(f"{text!r} is {kind}: it is on no link")
    if target in _IPV4_MAPPED:
        raise AddressError(f"{text!r} is IPv4-mapped: it is on no link")
    return target


def _findLink(host: Host, name: str) -> Link:
    """
    Find the interface, and see that it can be asked on.
    """
    try:
        link = host.kernel.link(name)
    except UnicodeError:
        link = None
    if link is None:
        names = ", ".join(sorted(host.kernel.linkNames()))
        raise InterfaceError(f"--iface {name!r}: there is no such interface; there are: {names}")
    if link.hardwareType != ETHERNET or len(link.linkLayerAddress) != 6:
        raise InterfaceError(f"--iface {name!r} is not Ethernet: nobody is solicited there")
    if link.portOf in PORTS:
        raise InterfaceError(
            f"--iface {name!r} is a port of a {link.portOf}, which takes its packets: "
            f"probe on the {link.portOf} itself"
        )
    if not link.up:
        raise InterfaceError(f"--iface {name!r} is down: ip link set {shlex.quote(name)} up")
    if not host.hasCarrier(link):
        raise InterfaceError(
            f"--iface {name!r} has no carrier: is the cable in, and the other end up?"
        )
    return link


def _refuseOwn(kernel: IRoutingKernel, target: int, link: Link, own: set[tuple[int, int]]) -> None:
    """
    See that the address is not this host's own: what it sends on the link never comes back to it.
    A link-local address is its own on one interface only.
    """
    text = formatAddress(target)
    anywhere = target not in _LINK_LOCAL
    if any(address == target and (anywhere or index == link.index) for index, address in own):
        raise ProbeError(
            f"{text} is this host's own address: probe it from another host on the link"
        )
    routes = [route for route in kernel.routes() if target in route.destination]
    nearest = max(routes, key=lambda route: route.destination.length, default=None)
    if nearest is not None and nearest.kind is RouteKind.LOCAL:
        raise ProbeError(
            f"{text} is served by prefix64 on this host: probe it from another host on the link"
        )


def _readSource(text: str, link: Link, own: set[tuple[int, int]]) -> int:
    """
    Read the source address.
    """
    try:
        source = parseAddress(text)
    except AddressError as error:
        raise AddressError(f"--source {error}") from None
    of = {index for index, address in own if address == source}
    if not of or (source in _LINK_LOCAL and link.index not in of) or source == 1:
        there = sorted(address for index, address in own if index == link.index)
        names = ", ".join(map(formatAddress, there)) or "none"
        raise ProbeError(
            f"--source {text!r} is no address of this host on {link.name}; there are: {names}"
        )
    return source


def _linkLocalOf(link: Link, own: set[tuple[int, int]]) -> int:
    """
    Find the interface's link-local address, which routers ask from.
    """
    found = sorted(a for index, a in own if index == link.index and a in _LINK_LOCAL)
    if not found:
        raise ProbeError(
            f"--iface {link.name!r} has no link-local address, which a router asks from: "
            f"ip address add fe80::64/64 dev {shlex.quote(link.name)}, or --source ADDRESS"
        )
    return found[0]

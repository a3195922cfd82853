"""
The packet that is led through the firewall, and what an nf_tables expression reads from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from prefix64.addressing import Prefix


@dataclass(frozen=True)
class Packet:
    """
    A packet that comes in from outside for some address of a prefix.

    @ivar interface: the name of the interface that it comes in on.
    @ivar port: of a TCP segment that opens a connection; L{None} for ICMPv6.
    @ivar icmpType: of an ICMPv6 message; L{None} for TCP.
    @ivar state: of its connection; L{None} if a rule has taken it from connection tracking.
    """

    interface: str
    destination: Prefix
    port: int | None = None
    icmpType: int | None = None
    state: str | None = "new"

    def untracked(self) -> Packet:
        """
        The packet, after a rule said not to track it.
        """
        return replace(self, state=None)


ABSENT = object()
"""The value of a field that the packet has not: no comparison with it is true."""

_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
_SYN = 2
_TCP, _ICMPV6 = ("tcp", 6), ("ipv6-icmp", "icmpv6", 58)


def valueOf(left: Any, packet: Packet) -> Any:
    """
    The packet's value of the left side of a match.

    @return: a tuple of its names and numbers; a L{Prefix} of which it is some address; a number for
        TCP flags; a list for a concatenation; L{ABSENT}; or L{None} where it is not known.
    """
    if not isinstance(left, dict) or len(left) != 1:
        return None
    ((kind, what),) = left.items()
    if kind == "concat":
        return [valueOf(part, packet) for part in what]
    if kind == "&" and isinstance(what, list) and len(what) == 2:
        flags, mask = valueOf(what[0], packet), flagBits(what[1])
        return flags & mask if isinstance(flags, int) and mask is not None else _absent(flags)
    if kind == "meta":
        return _metaValue(what.get("key"), packet)
    if kind == "payload":
        return _payloadValue(what.get("protocol"), what.get("field"), packet)
    if kind == "ct":
        return _trackedValue(what.get("key"), packet)
    return None


def _absent(value: Any) -> Any:
    """
    What masking leaves of a value that is no number.
    """
    return value if value is ABSENT else None


def _metaValue(key: Any, packet: Packet) -> Any:
    """
    What the kernel knows of the packet from elsewhere than its bytes.
    """
    return {
        "iifname": (packet.interface,),
        "iif": (packet.interface,),
        "l4proto": _TCP if packet.port is not None else _ICMPV6,
        "nfproto": ("ipv6", 10),
        "protocol": ("ip6", "ipv6", 0x86DD),
        "pkttype": ("host", "unicast", 0),
    }.get(key)


def _payloadValue(protocol: Any, name: Any, packet: Packet) -> Any:
    """
    A field of the packet's headers; L{ABSENT} for one of a header that it has not.
    """
    if protocol == "ip6":
        return {
            "daddr": packet.destination,
            "nexthdr": _TCP if packet.port is not None else _ICMPV6,
            "version": (6,),
        }.get(name)
    if protocol == "ether":
        return ("ip6", "ipv6", 0x86DD) if name == "type" else None
    if protocol in ("tcp", "th") and packet.port is not None:
        return {"dport": (packet.port,), "flags": _SYN if protocol == "tcp" else None}.get(name)
    if protocol == "icmpv6" and packet.icmpType is not None:
        return (packet.icmpType,) if name == "type" else None
    return None if protocol is None else ABSENT


def _trackedValue(key: Any, packet: Packet) -> Any:
    """
    What connection tracking knows of the packet.
    """
    if key == "state":
        return None if packet.state is None else (packet.state,)
    if key == "direction" and packet.state == "new":
        return ("original", 0)
    return ("ipv6", 10) if key == "l3proto" else None


def flagBits(flags: Any) -> int | None:
    """
    The TCP flags that are named, as bits.
    """
    if isinstance(flags, dict) and "|" in flags:
        flags = flags["|"]
    names = flags if isinstance(flags, list) else [flags]
    bits = 0
    for name in names:
        if isinstance(name, dict):
            inner = flagBits(name)
        else:
            inner = name if isinstance(name, int) else _FLAGS.get(name)
        if inner is None:
            return None
        bits |= inner
    return bits

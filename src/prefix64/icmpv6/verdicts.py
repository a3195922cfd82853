"""
What became of a frame: answered, or dropped, and by which rule.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable


class Verdict(enum.IntEnum):
    """
    The outcome of one frame. Every frame that the kernel's filter lets through gets exactly one,
    and each is counted. L{reason} says it in words.
    """

    # answered
    ADVERTISED = 0
    DEFENDED = enum.auto()
    ECHOED = enum.auto()
    # not for us
    OTHER_HOST = enum.auto()
    OUTGOING = enum.auto()
    OWN_FRAME = enum.auto()
    OTHER_TYPE = enum.auto()
    KERNELS_ECHO = enum.auto()
    # malformed
    SHORT_FRAME = enum.auto()
    NOT_IPV6 = enum.auto()
    PAYLOAD_LENGTH = enum.auto()
    FRAGMENT = enum.auto()
    EXTENSION_HEADER = enum.auto()
    HOP_LIMIT = enum.auto()
    CHECKSUM = enum.auto()
    CODE = enum.auto()
    ICMP_LENGTH = enum.auto()
    OPTION_LENGTH = enum.auto()
    OPTION_OVERRUN = enum.auto()
    # of no meaning
    MULTICAST_SOURCE = enum.auto()
    SPECIAL_SOURCE = enum.auto()
    LINK_LAYER_ADDRESS = enum.auto()
    MULTICAST_TARGET = enum.auto()
    SPECIAL_TARGET = enum.auto()
    OTHER_GROUP = enum.auto()
    SOURCE_IS_TARGET = enum.auto()
    LINK_LAYER_GROUP = enum.auto()
    SOLICITED_TO_GROUP = enum.auto()
    # duplicate address detection
    DAD_LINK_LAYER_OPTION = enum.auto()
    DAD_DESTINATION = enum.auto()
    DAD_IGNORED = enum.auto()
    # somebody else's
    OUTSIDE = enum.auto()
    EXCLUDED = enum.auto()
    ANYCAST = enum.auto()
    GATEWAY = enum.auto()
    OWN_ADDRESS = enum.auto()
    NEIGHBOR = enum.auto()
    CLAIMED = enum.auto()
    UNLISTED = enum.auto()
    LEFT_TO_OTHERS = enum.auto()
    # over a limit
    RATE = enum.auto()
    SOURCE_RATE = enum.auto()
    # what others advertise
    ADVERTISEMENT = enum.auto()
    CONFLICT = enum.auto()

    @property
    def answered(self) -> bool:
        """Whether a reply was made."""
        return self <= Verdict.ECHOED

    @property
    def reason(self) -> str:
        """The verdict in words, for the trace and for people."""
        return _REASONS[self]


_REASONS = {
    Verdict.ADVERTISED: "answered",
    Verdict.DEFENDED: "answered: the address is taken",
    Verdict.ECHOED: "answered",
    Verdict.OTHER_HOST: "for another host",
    Verdict.OUTGOING: "our own, on its way out",
    Verdict.OWN_FRAME: "from our own link-layer address",
    Verdict.OTHER_TYPE: "of a type that needs none",
    Verdict.KERNELS_ECHO: "echo that is not ours to answer",
    Verdict.SHORT_FRAME: "frame too short",
    Verdict.NOT_IPV6: "not IPv6",
    Verdict.PAYLOAD_LENGTH: "payload length does not fit the frame",
    Verdict.FRAGMENT: "fragmented (RFC 6980)",
    Verdict.EXTENSION_HEADER: "behind an extension header",
    Verdict.HOP_LIMIT: "hop limit is not 255",
    Verdict.CHECKSUM: "wrong checksum",
    Verdict.CODE: "code is not 0",
    Verdict.ICMP_LENGTH: "ICMP length under 24",
    Verdict.OPTION_LENGTH: "option of length 0",
    Verdict.OPTION_OVERRUN: "option past the end",
    Verdict.MULTICAST_SOURCE: "multicast source",
    Verdict.SPECIAL_SOURCE: "source is unspecified or loopback",
    Verdict.LINK_LAYER_ADDRESS: "source link-layer address is ours, or no station's",
    Verdict.MULTICAST_TARGET: "multicast target",
    Verdict.SPECIAL_TARGET: "target is no global unicast address",
    Verdict.OTHER_GROUP: "destination is not the target's solicited-node group",
    Verdict.SOURCE_IS_TARGET: "source is the target",
    Verdict.LINK_LAYER_GROUP: "sent to a link-layer group",
    Verdict.SOLICITED_TO_GROUP: "solicited advertisement, but to a group",
    Verdict.DAD_LINK_LAYER_OPTION: "unspecified source with a source link-layer address option",
    Verdict.DAD_DESTINATION: "unspecified source, but not to a solicited-node group",
    Verdict.DAD_IGNORED: "duplicate address detection is not answered",
    Verdict.OUTSIDE: "target outside the prefix",
    Verdict.EXCLUDED: "target excluded, or routed elsewhere by this host",
    Verdict.ANYCAST: "target is an anycast address",
    Verdict.GATEWAY: "target is a gateway",
    Verdict.OWN_ADDRESS: "target is the host's own: the kernel answers",
    Verdict.NEIGHBOR: "target is another machine",
    Verdict.CLAIMED: "target is used by another machine on the link",
    Verdict.UNLISTED: "no host rule covers the target",
    Verdict.LEFT_TO_OTHERS: "solicitations are left to the kernel or another program",
    Verdict.RATE: "over the limit of answers a second in all",
    Verdict.SOURCE_RATE: "over the limit of answers a second to this link-layer address",
    Verdict.ADVERTISEMENT: "somebody's advertisement",
    Verdict.CONFLICT: "another machine advertises an address that is ours",
}

Answer = tuple[Verdict, bytes | None]
"""A verdict, and the frame to send back, if there is one."""

Respond = Callable[[bytes, int, float], Answer]
"""Given a frame, its packet type and the time in seconds: the answer."""

RespondAll = Callable[[Iterable[tuple[bytes, int]], float], list[bytes]]
"""Given frames with their packet types, and the time in seconds: the frames to send back."""

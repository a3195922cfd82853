"""
What is wrong with a well-formed solicitation: RFC 4861 7.1.1, RFC 4291, and plain sense.
"""

from __future__ import annotations

from prefix64.icmpv6.packets import LOOPBACK, SOLICITED_NODE, UNSPECIFIED, Solicitation
from prefix64.icmpv6.verdicts import Verdict

_LINK_LOCAL_FIRST = 0xFE
_LINK_LOCAL_MASK = 0xC0
_LINK_LOCAL_SECOND = 0x80
_IPV4_MAPPED = bytes(10) + b"\xff\xff"


def isStation(linkLayerAddress: bytes) -> bool:
    """
    Tell whether it is the Ethernet address of one station: 6 bytes, not zero, and no group or
    broadcast address (the lowest bit of the first byte).
    """
    return len(linkLayerAddress) == 6 and not linkLayerAddress[0] & 1 and any(linkLayerAddress)


def meaningless(solicitation: Solicitation) -> Verdict | None:
    """
    Find what no honest host sends, and that RFC 4861 7.1.1 or RFC 4291 forbids.
    """
    _, source, destination, target, _ = solicitation
    if target[0] == 0xFF:
        return Verdict.MULTICAST_TARGET
    if _isSpecial(target):
        return Verdict.SPECIAL_TARGET
    if source[0] == 0xFF:
        return Verdict.MULTICAST_SOURCE
    if source == LOOPBACK:
        return Verdict.SPECIAL_SOURCE
    if source == target:
        return Verdict.SOURCE_IS_TARGET
    if source == UNSPECIFIED:
        return None
    if destination[0] == 0xFF and destination != SOLICITED_NODE + target[13:]:
        return Verdict.OTHER_GROUP
    return None


def _isSpecial(target: bytes) -> bool:
    """
    Tell whether an address is unspecified, loopback, link-local or IPv4-mapped.
    """
    linkLocal = (
        target[0] == _LINK_LOCAL_FIRST and target[1] & _LINK_LOCAL_MASK == _LINK_LOCAL_SECOND
    )
    return linkLocal or target.startswith(_IPV4_MAPPED) or target in (UNSPECIFIED, LOOPBACK)


def malformedProbe(solicitation: Solicitation) -> Verdict | None:
    """
    Check what RFC 4861 7.1.1 demands of a solicitation whose source is unspecified.
    """
    if solicitation.linkLayerOption is not None:
        return Verdict.DAD_LINK_LAYER_OPTION
    if solicitation.destination != SOLICITED_NODE + solicitation.target[13:]:
        return Verdict.DAD_DESTINATION
    return None

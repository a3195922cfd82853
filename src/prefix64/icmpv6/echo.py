"""
Echo Request to Echo Reply (RFC 4443 4.2).
"""

from __future__ import annotations

from prefix64.icmpv6.neighbor import NeighborDiscovery
from prefix64.icmpv6.packets import (
    LOOPBACK,
    PACKET_HOST,
    UNSPECIFIED,
    EchoRequest,
    encodeEchoReply,
)
from prefix64.icmpv6.validation import isStation
from prefix64.icmpv6.verdicts import Answer, Verdict
from prefix64.ownership import Owner


class Echo:
    """
    Decides about well-formed echo requests. What is not answered here the kernel does not answer
    either: the guard keeps from it all requests to addresses that are ours.
    """

    def __init__(self, neighbor: NeighborDiscovery) -> None:
        """
        @param neighbor: knows who we are, and which addresses are answered for.
        """
        self._neighbor = neighbor

    def requested(self, request: EchoRequest, packetType: int, now: float) -> Answer:
        """
        Decide about a request. What is not answered for on the link does not answer ping either.

        @param packetType: one that came to a link-layer group is not answered: a reply from each of
            its members would be an amplifier.
        @param now: seconds, of any monotonic clock.
        @return: a verdict, and the reply's frame if one is to be sent.
        """
        source = request.source
        if packetType != PACKET_HOST:
            return Verdict.LINK_LAYER_GROUP, None
        if not isStation(request.linkSource):
            return Verdict.LINK_LAYER_ADDRESS, None
        if source[0] == 0xFF:
            return Verdict.MULTICAST_SOURCE, None
        if source in (UNSPECIFIED, LOOPBACK):
            return Verdict.SPECIAL_SOURCE, None
        if source == request.destination:
            return Verdict.SOURCE_IS_TARGET, None
        address = int.from_bytes(request.destination, "big")
        if self._neighbor.tables.table.ownership.of(address) is not Owner.OURS:
            return Verdict.KERNELS_ECHO, None
        verdict = self._neighbor.withheld(address, now)
        if verdict is not None:
            return verdict, None
        linkLayerAddress = self._neighbor.identity.linkLayerAddress
        return Verdict.ECHOED, encodeEchoReply(linkLayerAddress, request)

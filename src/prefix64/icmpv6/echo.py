"""
Echo Request to Echo Reply (RFC 4443 4.2).
"""

from __future__ import annotations

from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.neighbor import LinkIdentity, isStation
from prefix64.icmpv6.packets import (
    LOOPBACK,
    PACKET_HOST,
    UNSPECIFIED,
    EchoRequest,
    encodeEchoReply,
)
from prefix64.icmpv6.verdicts import Answer, Verdict
from prefix64.ownership import Owner


class Echo:
    """
    Decides about well-formed echo requests: exactly the ones that the guard keeps from the kernel
    are ours.
    """

    def __init__(
        self, identity: LinkIdentity, tables: CurrentTable, onlyHosts: bool = False
    ) -> None:
        """
        @param onlyHosts: whether only addresses that a host rule covers answer.
        """
        self._identity = identity
        self._tables = tables
        self._onlyHosts = onlyHosts

    def requested(self, request: EchoRequest, packetType: int) -> Answer:
        """
        Decide about a request.

        @param packetType: one that came to a link-layer group is not answered: a reply from each of
            its members would be an amplifier.
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
        address, table = int.from_bytes(request.destination, "big"), self._tables.table
        if table.ownership.of(address) is not Owner.OURS:
            return Verdict.KERNELS_ECHO, None
        if self._onlyHosts and not table.isListed(address):
            return Verdict.UNLISTED, None
        return Verdict.ECHOED, encodeEchoReply(self._identity.linkLayerAddress, request)

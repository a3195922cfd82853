"""
ICMPv6 as a service: the protocol behind its packet socket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from prefix64.addressing import Prefix, formatAddress
from prefix64.edges import Edges
from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.limits import Limits
from prefix64.icmpv6.neighbor import LinkIdentity, NeighborDiscovery
from prefix64.icmpv6.policies import AdvertisementSource
from prefix64.icmpv6.responder import Responder
from prefix64.icmpv6.trace import describe, traced
from prefix64.icmpv6.verdicts import RespondAll
from prefix64.link.packet_port import PacketPort
from prefix64.link.packet_socket import ETHERNET, ILinkSocket
from prefix64.link.socket_filter import icmpv6Filter
from prefix64.services.announcements import Announcements
from prefix64.services.echo_guard import EchoGuardService
from prefix64.services.groups import ListedGroups
from prefix64.services.routing import RoutingService
from prefix64.settings import EchoMode, LinkSettings, NdpMode

MOST_CONFLICTS = 1024
"""The most addresses of which it is said that another machine uses them."""

_KEPT = ", which has a site of its own: it is answered for all the same (--yield would not)"
_LEFT = ": it is left to that machine, for a day after its last sign of life"

_log = Logger("prefix64.icmpv6")
_traceLog = Logger("prefix64.trace")


class Icmpv6Service(Service):
    """
    Answers Neighbor Solicitations and echo requests.

    @ivar responder: what answers, and counts; L{None} on an interface that has no solicitations.
    """

    name = "icmpv6"

    def __init__(
        self,
        reactor: Any,
        settings: LinkSettings,
        routing: RoutingService,
        echoGuard: EchoGuardService,
        tables: CurrentTable,
        edges: Edges,
        several: bool = False,
    ) -> None:
        """
        @param several: whether the process has other interfaces too, so that lines of the log need
            the name of this one.
        """
        self._heading = f"{settings.interface} " if several else ""
        self._reactor = reactor
        self._settings = settings
        self._routing = routing
        self._echoGuard = echoGuard
        self._tables = tables
        self._edges = edges
        self._identity = LinkIdentity(b"")
        self._port: PacketPort | None = None
        self._link: ILinkSocket | None = None
        self._groups = ListedGroups(settings.interface, tables, edges.groups)
        self._announcements: Announcements | None = None
        self._birth: tuple[int, int] | None = None
        self._gone = False
        self._conflicts: set[int] = set()
        self._sendErrors: Counter[str] = Counter()
        self._drops = 0
        self._prefixes: tuple[Prefix, ...] = ()
        self.responder: Responder | None = None
        routing.whenChanged(self._changed)

    def privilegedStartService(self) -> None:
        """
        Open the packet socket.

        @raise Prefix64Error: it cannot be opened.
        """
        link = self._routing.link
        if not (self._answersSolicitations or self._answersEcho):
            return
        if link is None or link.hardwareType != ETHERNET:
            _log.info(
                "{interface} is not Ethernet: it needs no neighbor discovery",
                interface=self._settings.interface,
            )
            return
        self._identify()
        if self._fromLinkLocal and self._identity.linkLocal is None:
            _log.warn(
                "--na-source link-local: {interface} has no link-local address: "
                "advertisements come from their target until it has one",
                interface=self._settings.interface,
            )
        neighbor = NeighborDiscovery(
            self._identity,
            self._tables,
            self._settings.dad,
            self._settings.advertisementSource,
            self._conflict,
            self._settings.respond,
            self._settings.yields,
            self._answersSolicitations,
        )
        echo = Echo(neighbor) if self._answersEcho else None
        limits = Limits(self._settings.rate, self._settings.sourceRate)
        self.responder = Responder(self._identity, neighbor, echo, limits if limits.any else None)
        self._announcements = Announcements(
            self._reactor, self._tables, neighbor, link.linkLayerAddress, self._edges.clock
        )
        self._open()

    def startService(self) -> None:
        """
        Begin to answer.
        """
        super().startService()
        if self._port is not None:
            self._port.startReading()

    def stopService(self) -> None:
        """
        Stop answering, and say what became of the frames.
        """
        super().stopService()
        self._close()
        if self.responder is not None:
            _log.info(
                "{heading}frames: {counts}; replies not sent: {errors}; "
                "lost in a full queue: {drops}; signs of a conflict: {conflicts}",
                heading=self._heading,
                counts=countsInWords(self.responder.counters()),
                errors=countsInWords(self._sendErrors),
                drops=self._drops,
                conflicts=self.responder.neighbor.conflicts,
            )

    def _close(self) -> None:
        """
        Close the packet socket, if it is open, keep its counters, and leave the groups.
        """
        self._groups.close()
        if self._announcements is not None:
            self._announcements.stop()
        if self._port is not None:
            self._drops += self._port.drops() + self._port.unread()
            self._sendErrors.update(self._port.sendErrors)
            self._port.stopReading()
            self._port = None

    @property
    def _answersSolicitations(self) -> bool:
        """Whether solicitations are ours to answer."""
        return self._settings.ndp is NdpMode.PROTOCOL

    @property
    def _answersEcho(self) -> bool:
        """Whether echo is ours to answer."""
        return self._echoGuard.mode is EchoMode.PROTOCOL

    @property
    def _fromLinkLocal(self) -> bool:
        """Whether advertisements come from the link-local address."""
        return self._settings.advertisementSource is AdvertisementSource.LINK_LOCAL

    def _open(self) -> None:
        """
        Open the packet socket on the interface that there is now, and join the groups there.
        """
        assert self.responder is not None
        respond: RespondAll = self.responder.framesReceived
        if self._settings.trace:
            respond = traced(self.responder.frameReceived, self._trace)
        self._prefixes = self._tables.table.ownership.prefixes
        self._link = self._edges.link(self._settings.interface, self._filter())
        link = self._routing.link
        self._birth = None if link is None else (link.index, self._routing.births)
        self._port = PacketPort(self._reactor, self._link, respond, self._edges.clock)
        self._followGroups()

    def _filter(self) -> bytes:
        """
        What lets through to the packet socket what may be for us.
        """
        return icmpv6Filter(self._tables.table.ownership.prefixes, self._answersEcho)

    def _followPrefixes(self) -> None:
        """
        Hear what is for other prefixes now.

        @raise OSError: the kernel refused.
        """
        prefixes = self._tables.table.ownership.prefixes
        if self._prefixes != prefixes and self._link is not None:
            self._link.setFilter(self._filter())
            self._prefixes = prefixes

    def _followGroups(self) -> None:
        """
        Join the groups of listed hosts, if solicitations are ours to answer.
        """
        if self._answersSolicitations:
            self._groups.follow()

    def _isBound(self) -> bool:
        """
        Tell whether the packet socket is still that of the interface, as the kernel says.
        """
        return self._link is not None and self._link.isBound()

    def _identify(self) -> None:
        """
        Take over the interface's link-layer and link-local addresses.
        """
        link = self._routing.link
        assert link is not None
        self._identity.linkLayerAddress = link.linkLayerAddress
        linkLocal = self._routing.state.linkLocal()
        self._identity.linkLocal = None if linkLocal is None else linkLocal.to_bytes(16, "big")
        self._identity.isRouter = self._routing.isRouter

    def _announce(self, frame: bytes) -> None:
        """
        Send what nobody asked for.

        @raise OSError: it was not sent.
        """
        assert self._link is not None
        if self._settings.trace:
            self._trace(describe(frame))
        self._link.send(frame)

    def _trace(self, line: str) -> None:
        """
        Log a line for a packet.
        """
        _traceLog.info("{heading}{line}", heading=self._heading, line=line)

    def _conflict(self, address: int, linkLayerAddress: bytes) -> None:
        """
        Say once of each address that another machine uses it; of a bounded number of them.
        """
        if address in self._conflicts or len(self._conflicts) >= MOST_CONFLICTS:
            return
        self._conflicts.add(address)
        kept = self._tables.table.isListed(address) and not self._settings.yields
        _log.warn(
            "conflict: {machine} uses {address} too{what}",
            machine=linkLayerAddress.hex(":"),
            address=formatAddress(address),
            what=_KEPT if kept else _LEFT,
        )
        if len(self._conflicts) == MOST_CONFLICTS:
            _log.warn("of further conflicts nothing is said; they are counted")

    def _interfaceIsGone(self) -> None:
        """
        Stop answering: the interface was deleted, or has another name, under which no rule makes
        the prefix local.
        """
        if not self._gone:
            self._gone, self._birth = True, None
            self._close()
            name = self._settings.interface
            _log.warn("{name} is gone: nothing is answered until it is back", name=name)

    def _changed(self) -> None:
        """
        Follow the interface. One that was deleted and made again is another one, also if it has the
        same index, and a packet socket bound to the old one is deaf without any error.
        """
        link = self._routing.link
        if self.responder is None:
            return
        if link is None:
            self._interfaceIsGone()
            return
        self._identify()
        unbound = link.up and not self._isBound()  # it goes down before it goes
        if self._birth != (link.index, self._routing.births) or unbound:
            self._reopen()
            self._gone = False
            _log.info("{name} is back", name=link.name)
        self._followPrefixes()
        self._followGroups()
        if self._announcements is not None and self._link is not None:
            self._announcements.follow(link, self._announce)

    def _reopen(self) -> None:
        """
        Open the packet socket on another interface of the same name.

        @raise Prefix64Error: it cannot be opened.
        """
        self._close()
        self._birth = None
        self._open()
        assert self._port is not None
        self._port.startReading()


def countsInWords(counts: Mapping[str, int]) -> str:
    """
    Counters as text: C{advertised 10, hop_limit 2}.
    """
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"

"""
Routing as a service: the plan in the kernel, kept in step with what the host has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from prefix64.edges import Edges
from prefix64.errors import InterfaceError, Prefix64Error
from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.policies import RouterFlag
from prefix64.routing.host_state import HostState
from prefix64.routing.kernel import IRoutingKernel
from prefix64.routing.messages import Link
from prefix64.routing.monitor import ADDRESS, LINK, NEIGHBOR, NETCONF, ROUTE, RULE
from prefix64.routing.plan import RoutingPlan, plan
from prefix64.routing.tables import RoutingTables, overlappingRules
from prefix64.settings import Settings

REREAD_DELAY = 1.0
"""
Seconds to reading everything anew after a route or rule went, after events were lost, or after the
kernel refused a change: a router that flaps, or an error that stays, costs one reading a second.
"""

NEIGHBOR_DELAY = 0.2
"""
Seconds in which changes of neighbors are gathered: strangers on the link make them, as many as they
like, and each costs routes.
"""

_log = Logger("prefix64.routing")


class RoutingService(Service):
    """
    Makes the prefixes local, and tells others when the host's addresses or its interface change.

    @ivar state: what the host has.
    """

    name = "routing"

    def __init__(
        self, reactor: Any, settings: Settings, tables: CurrentTable, edges: Edges
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._tables = tables
        self._edges = edges
        self._lock: Any = None
        self._kernel: IRoutingKernel | None = None
        self._monitor: Any = None
        self._routing: RoutingTables | None = None
        self._rereadCall: Any = None
        self._compareCall: Any = None
        self._listeners: list[Callable[[], None]] = []
        self._last: tuple[Link | None, bool, int] = None, False, 0
        self._lost = False
        self._refused = ""
        self._seen = -1

    def whenChanged(self, listener: Callable[[], None]) -> None:
        """
        Call a listener after each change of what the host has. If it raises a L{Prefix64Error}, it
        is called again in a while.
        """
        self._listeners.append(listener)

    @property
    def link(self) -> Link | None:
        """The served interface, or L{None} while there is none."""
        return self.state.link

    @property
    def births(self) -> int:
        """How many times the served interface went."""
        return self.state.births

    @property
    def isRouter(self) -> bool:
        """Whether advertisements are to say that this host is a router."""
        return self._settings.routerFlag is RouterFlag.AUTO and self.state.forwards

    def privilegedStartService(self) -> None:
        """
        Read what the host has, and apply the plan.

        @raise Prefix64Error: it is served already, is missing, or the kernel refused.
        """
        settings = self._settings
        self._lock = self._edges.lock(settings.interface)
        kernel = self._kernel = self._edges.kernel()
        self.state = HostState(
            kernel,
            settings.interface,
            settings.prefixes,
            settings.excluded,
            settings.reachableFromHere,
            lambda address: self._tables.table.isListed(address),
        )
        groups = [LINK, ADDRESS, ROUTE, RULE]
        groups += [NEIGHBOR] if settings.reachableFromHere else []
        groups += [NETCONF] if settings.routerFlag is RouterFlag.AUTO else []
        self._monitor = self._edges.monitor(
            self._reactor, groups, self.state.messageReceived, self._eventsCame
        )
        self.state.refresh()
        if self.link is None:
            raise InterfaceError(f"interface {settings.interface!r} does not exist")
        self._last, self._seen = self._current(), self.state.revision
        self._tables.ownershipChanged(self.state.ownership())
        with self._edges.turn():
            self._refuseOverlap(kernel)
            self._routing = RoutingTables(kernel, settings.interface)
            self._routing.apply(self._plan())

    def _refuseOverlap(self, kernel: IRoutingKernel) -> None:
        """
        See that no other instance that runs serves an address of ours.

        @raise InterfaceError: one does; the text names its interface and process.
        """
        for rule in overlappingRules(kernel.rules(), self._plan(), self._settings.interface):
            holder = self._edges.holder(rule.interface)
            if holder is not None:
                raise InterfaceError(
                    f"{rule.destination} is served on {rule.interface} already {holder}: "
                    "stop that first, or serve another prefix"
                )

    def startService(self) -> None:
        """
        Begin to follow events.
        """
        super().startService()
        self._monitor.startReading()
        if self.link is not None and not self.link.up:
            name = self.link.name
            _log.warn("{name} is down: nothing arrives until: ip link set {name} up", name=name)

    def stopService(self) -> None:
        """
        Undo exactly what was added. Also after a start that failed half-way.
        """
        super().stopService()
        for call in filter(_isActive, (self._rereadCall, self._compareCall)):
            call.cancel()
        if self._monitor is not None:
            self._monitor.stopReading()
        if self._routing is not None:
            self._routing.undo()
        if self._kernel is not None:
            self._kernel.close()
        if self._lock is not None:
            self._lock.release()

    def _plan(self) -> RoutingPlan:
        """
        The plan for what is ours now.
        """
        ownership = self._tables.table.ownership
        return plan(ownership, self._settings.interface, self._settings.reachableFromHere)

    def _eventsCame(self, lost: bool) -> None:
        """
        After a batch of events: see whether anything changed that matters.

        @param lost: whether some are missing.
        """
        self._lost = self._lost or lost
        if lost or self.state.stale:
            self._rereadLater()
        if self.state.revision != self._seen:
            self._compare()
        elif self.state.neighborsChanged and not _isActive(self._compareCall):
            self._compareCall = self._reactor.callLater(NEIGHBOR_DELAY, self._compare)

    def _rereadLater(self) -> None:
        """
        Read everything anew, in a while.
        """
        if not _isActive(self._rereadCall):
            self._rereadCall = self._reactor.callLater(REREAD_DELAY, self._reread)

    def _reread(self) -> None:
        """
        Read everything anew.
        """
        assert self._routing is not None
        try:
            self.state.refresh()
            missing = self._routing.reread()
        except Prefix64Error as error:
            self._tryAgain(error)
            return
        if missing:
            _log.warn("somebody deleted {what}: putting it back", what=" and ".join(missing))
        lost, self._lost = self._lost, False
        self._compare(bool(missing) or lost)

    def _current(self) -> tuple[Link | None, bool, int]:
        """
        What the listeners follow besides whose each address is.
        """
        return self.link, self.isRouter, self.state.births

    def _compare(self, doubtful: bool = False) -> None:
        """
        Bring what changed to the table (which silences the responder first), to the kernel, and to
        the listeners.

        @param doubtful: whether something of ours is not in the kernel, or events were lost.
        """
        self._seen = self.state.revision
        ownership = self.state.ownership()
        now = self._current()
        same = ownership == self._tables.table.ownership and now == self._last
        if same and not self._refused and not doubtful:
            return
        if not same:
            self._last = now
            self._tables.ownershipChanged(ownership)
        errors = list(filter(None, map(_refusal, [self._updateTables, *self._listeners])))
        if errors:
            self._tryAgain(errors[0])
        else:
            self._refused = ""

    def _updateTables(self) -> None:
        """
        Bring the plan for what is ours now into the kernel.

        @raise Prefix64Error: the kernel refused.
        """
        assert self._routing is not None
        self._routing.update(self._plan())

    def _tryAgain(self, error: Prefix64Error) -> None:
        """
        Log what the kernel refused, once as long as it is the same, and try again in a while.
        """
        if str(error) != self._refused:
            _log.error("{error}; trying again", error=error)
        self._refused = str(error)
        self._rereadLater()


def _isActive(call: Any) -> bool:
    """
    Tell whether a call is still to come.
    """
    return call is not None and call.active()


def _refusal(follow: Callable[[], None]) -> Prefix64Error | None:
    """
    Let one of those who follow the host do so. One that fails does not keep the others from it.

    @return: why it failed, or L{None}.
    """
    try:
        follow()
    except Prefix64Error as error:
        return error
    except OSError as error:  # such as too many open files
        return InterfaceError(f"the host cannot be followed: {error.strerror}")
    return None

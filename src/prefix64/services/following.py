"""
The host followed: what changed goes to the table, to the kernel, and to those who listen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from prefix64.edges import Edges
from prefix64.errors import InterfaceError, Prefix64Error
from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.policies import RouterFlag
from prefix64.kernel.host_state import HostState
from prefix64.kernel.installation import Installation
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.messages import Link
from prefix64.routing.plan import RoutingPlan
from prefix64.services.behind import Behind
from prefix64.services.wanted import wanted
from prefix64.settings import LinkSettings

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

LOOK_DELAY = 10.0
"""
Seconds from one look at neighbor proxies and switches to the next: the kernel does not tell when
they change.
"""

_log = Logger("prefix64.routing")


class HostFollower(Service):
    """
    Keeps what is in the kernel in step with what the host has, and tells others when the host's
    addresses or its interface change.

    @ivar state: what the host has.
    """

    state: HostState

    def __init__(
        self,
        reactor: Any,
        settings: LinkSettings,
        stateDirectory: str,
        tables: CurrentTable,
        edges: Edges,
        siblings: Sequence[LinkSettings] = (),
    ) -> None:
        """
        @param stateDirectory: where it is written down what switches were.
        @param tables: the host table of the interface.
        @param siblings: the other interfaces of this process. What is in the kernel of these before
            the start, an earlier run left.
        """
        self._reactor = reactor
        self._settings = settings
        self._stateDirectory = stateDirectory
        self._tables = tables
        self._edges = edges
        self._siblings = siblings
        self._locks: list[Any] = []
        self._kernel: IRoutingKernel | None = None
        self._monitor: Any = None
        self._watched: list[int] = []
        self._installation: Installation | None = None
        self._behind = Behind(settings.behind)
        self._rereadCall: Any = None
        self._compareCall: Any = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
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

    def _plan(self) -> RoutingPlan:
        """
        The plan for what is ours now.
        """
        return wanted(self._settings, self._tables.table, self.link)

    def _eventsCame(self, lost: bool) -> None:
        """
        After a batch of events: see whether anything changed that matters.

        @param lost: whether some are missing.
        """
        assert self._installation is not None
        self._lost = self._lost or lost
        if lost or self.state.stale or self._installation.mayHaveLost(self.state.downs):
            self._rereadLater()
        if self.state.revision != self._seen:
            self._compare()
        elif self.state.neighborsChanged and not isActive(self._compareCall):
            self._compareCall = self._reactor.callLater(NEIGHBOR_DELAY, self._compare)

    def _rereadLater(self) -> None:
        """
        Read everything anew, in a while.
        """
        if not isActive(self._rereadCall):
            self._rereadCall = self._reactor.callLater(REREAD_DELAY, self._reread)

    def _look(self) -> None:
        """
        Look at what the kernel does not tell of, and read everything anew if it is otherwise.
        """
        assert self._installation is not None
        index = None if self.link is None else self.link.index
        try:
            self._lost = self._installation.differs(self._plan(), index) or self._lost
        except Prefix64Error as error:
            self._tryAgain(error)
            return
        if self._lost:
            if isActive(self._rereadCall):
                self._rereadCall.cancel()
            self._reread()

    def _reread(self) -> None:
        """
        Read everything anew, and put back what somebody deleted.
        """
        assert self._installation is not None
        try:
            self.state.refresh()
            isThere = self.link is not None
            missing = self._installation.reread(self._edges.clock(), self.state.downs, isThere)
        except Prefix64Error as error:
            self._tryAgain(error)
            return
        lost, self._lost = self._lost, False
        self._compare(missing or lost)

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
            self._behind.follow(ownership)
        errors = self._refusals([self._updateTables, *self._listeners])
        if errors:
            self._tryAgain(errors[0])
        else:
            self._refused = ""

    @staticmethod
    def _refusals(followers: Iterable[Callable[[], None]]) -> list[Prefix64Error]:
        """
        Let those who follow the host do so, and say why some could not.
        """
        return list(filter(None, map(_refusal, followers)))

    def _updateTables(self) -> None:
        """
        Bring the plan for what is ours now into the kernel.

        @raise Prefix64Error: the kernel refused.
        """
        assert self._installation is not None
        index = None if self.link is None else self.link.index
        self._installation.update(self._plan(), index)

    def _tryAgain(self, error: Prefix64Error) -> None:
        """
        Log what the kernel refused, once as long as it is the same, and try again in a while.
        """
        if str(error) != self._refused:
            _log.error("{error}; trying again", error=error)
        self._refused = str(error)
        self._rereadLater()


def isActive(call: Any) -> bool:
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

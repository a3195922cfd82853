"""
Routing as a service: the plan in the kernel, kept in step with what the host has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.edges import Edges
from prefix64.errors import InterfaceError, Prefix64Error
from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.policies import RouterFlag
from prefix64.instance_lock import MARKED, markLock
from prefix64.kernel.installation import Installation
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.messages import Link
from prefix64.kernel.monitor import ADDRESS, LINK, NEIGHBOR, NETCONF, ROUTE, RULE
from prefix64.kernel.switch_record import SwitchRecord
from prefix64.routing.entries import Way
from prefix64.routing.plan import RoutingPlan
from prefix64.services.behind import Behind
from prefix64.services.wanted import hostState, obstacle, wanted
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


class RoutingService(Service):
    """
    Makes the prefixes local, and tells others when the host's addresses or its interface change.

    @ivar state: what the host has.
    """

    name = "routing"

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

    def prepare(self) -> None:
        """
        Take the locks, read what the host has, and see that nothing is in the way. Nothing is
        changed.

        @raise Prefix64Error: it is served already, is missing, or something is in the way.
        """
        settings = self._settings
        self._locks.append(self._edges.lock(settings.interface))
        if settings.steering.way is Way.FWMARK:
            self._locks.append(self._edges.lock(markLock(settings.steering.numbers.table), MARKED))
        kernel = self._kernel = self._edges.kernel()
        self.state = hostState(settings, kernel, self._tables)
        self._watch()
        self.state.refresh()
        if self.link is None:
            raise InterfaceError(f"interface {settings.interface!r} does not exist")
        self._last, self._seen = self._current(), self.state.revision
        self._tables.ownershipChanged(self.state.ownership())
        self._refuse(kernel)

    def _othersHolder(self, interface: str) -> str | None:
        """
        Who serves an interface, but for this one, whose lock is ours.
        """
        return self._edges.holder(interface) if interface != self._settings.interface else None

    def _groups(self) -> list[int]:
        """
        What to hear of.
        """
        settings = self._settings
        groups = [LINK, ADDRESS, ROUTE, RULE]
        groups += [NEIGHBOR] if settings.reachableFromHere else []
        router = settings.routerFlag is RouterFlag.AUTO or bool(settings.forwardWords)
        return groups + ([NETCONF] if router or self._settings.usesProxies else [])

    def _watch(self) -> None:
        """
        Hear of what matters from now on.

        @raise OSError: there is no socket for it; what was heard until now still is.
        """
        groups, before = self._groups(), self._monitor
        if groups == self._watched:
            return
        self._monitor = self._edges.monitor(
            self._reactor, groups, self.state.messageReceived, self._eventsCame
        )
        self._watched = groups
        if before is not None:
            before.stopReading()
            self._monitor.startReading()

    def _refuse(self, kernel: IRoutingKernel) -> None:
        """
        See that nothing is in the way.

        @raise Prefix64Error: something is.
        """
        objected = obstacle(
            self._settings,
            self.state,
            kernel,
            self._othersHolder,
            self._edges.sshPeers,
            self._siblings,
        )
        if objected is not None:
            raise objected

    def privilegedStartService(self) -> None:
        """
        Apply the plan.

        @raise Prefix64Error: the kernel refused.
        """
        settings, kernel = self._settings, self._kernel
        assert kernel is not None, "it was not prepared"
        assert self.link is not None
        numbers = settings.steering.numbers
        isMine = settings.steering.way is Way.FWMARK
        marks = not isMine and self._edges.holder(markLock(numbers.table)) is not None
        record = SwitchRecord(self._stateDirectory, settings.interface)
        self._installation = Installation(
            kernel, settings.interface, numbers, record, settings.usesProxies
        )
        self._installation.begin(self._plan(), self.link.index, marks)
        self._behind.follow(self._tables.table.ownership)

    def startService(self) -> None:
        """
        Begin to follow events.
        """
        super().startService()
        self._monitor.startReading()
        if self.link is not None and not self.link.up:
            name = self.link.name
            _log.warn("{name} is down: nothing arrives until: ip link set {name} up", name=name)
        if self._settings.usesProxies:
            self._looking.start(LOOK_DELAY, now=False)
            if not self._plan().proxies:
                _log.warn(
                    "--ndp kernel: no host has an address of its own, so no solicitation is "
                    "answered: name some with --sites, or leave --ndp kernel out"
                )

    def stopService(self) -> None:
        """
        Undo exactly what was added. Also after a start that failed half-way.
        """
        super().stopService()
        for call in filter(_isActive, (self._rereadCall, self._compareCall)):
            call.cancel()
        if self._looking.running:
            self._looking.stop()
        if self._monitor is not None:
            self._monitor.stopReading()
        if self._installation is not None:
            self._installation.undo()
        if self._kernel is not None:
            self._kernel.close()
        for lock in reversed(self._locks):
            lock.release()
        self._locks.clear()

    def _plan(self) -> RoutingPlan:
        """
        The plan for what is ours now.
        """
        return wanted(self._settings, self._tables.table, self.link)

    def setPrefixes(
        self,
        prefixes: tuple[Prefix, ...],
        excluded: tuple[Prefix, ...] = (),
        behind: tuple[Prefix, ...] = (),
    ) -> None:
        """
        Serve other prefixes from now on, once it runs. What is given up is given up also if the
        kernel refuses to take it out: that is tried again.

        @param excluded: what of them is never ours.
        @param behind: what of them lives behind this host.
        @raise Prefix64Error: something is in the way of one that is new, or the kernel refused it:
            what was served before still is.
        """
        before, gateways = self._settings, self.state.gateways
        wanted = dataclasses.replace(before, prefixes=prefixes, excluded=excluded, behind=behind)
        if set(prefixes) <= set(before.prefixes):
            error = self._serve(wanted)
        else:
            error = self._serveMore(wanted)
            if error is not None:
                again = self._serve(before, gateways)
                if again is not None:
                    self._tryAgain(again)
                raise error
        if error is not None:
            self._tryAgain(error)

    def _serveMore(self, settings: LinkSettings) -> Prefix64Error | None:
        """
        Serve other prefixes, some of them new, if nothing is in the way. No other instance of the
        network namespace starts meanwhile.

        @return: what was in the way, or refused.
        """
        try:
            with self._edges.turn():
                return self._serve(settings, isNew=True)
        except Prefix64Error as error:
            return error

    def _serve(
        self, settings: LinkSettings, gateways: Iterable[int] = (), isNew: bool = False
    ) -> Prefix64Error | None:
        """
        Bring other prefixes to the table, to the kernel, and to the listeners.

        @param gateways: such as are remembered.
        @param isNew: whether something may be in the way, or be left from an earlier run.
        @return: what was in the way, before anything was changed; or the first refusal of the
            kernel.
        """
        assert self._kernel is not None
        self._settings = settings
        self.state.setPrefixes(settings.prefixes, settings.excluded, settings.behind, gateways)
        try:
            self.state.refresh()
            ownership = self.state.ownership()
            if isNew and self.link is None:
                raise InterfaceError(f"interface {settings.interface!r} does not exist")
            if isNew:
                self._refuse(self._kernel)
        except Prefix64Error as error:
            return error
        self._last, self._seen = self._current(), self.state.revision
        self._tables.ownershipChanged(ownership)
        takeOver = [self._takeOver] if isNew else []
        errors = self._refusals([*takeOver, self._updateTables, self._watch, *self._listeners])
        if errors:
            return errors[0]
        self._refused, self._behind.named = "", settings.behind
        self._behind.follow(ownership)
        return None

    def _takeOver(self) -> None:
        """
        Find what an earlier run left of what is new.
        """
        assert self._installation is not None
        self._installation.takeOver(self._plan())

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
        elif self.state.neighborsChanged and not _isActive(self._compareCall):
            self._compareCall = self._reactor.callLater(NEIGHBOR_DELAY, self._compare)

    def _rereadLater(self) -> None:
        """
        Read everything anew, in a while.
        """
        if not _isActive(self._rereadCall):
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
            if _isActive(self._rereadCall):
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

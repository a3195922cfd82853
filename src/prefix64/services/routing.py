"""
Routing as a service: prefixes made local, changed while it runs, and given up at the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.errors import InterfaceError, Prefix64Error
from prefix64.icmpv6.policies import RouterFlag
from prefix64.instance_lock import MARKED, markLock
from prefix64.kernel.installation import Installation
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.monitor import ADDRESS, LINK, NEIGHBOR, NETCONF, ROUTE, RULE
from prefix64.kernel.switch_record import SwitchRecord
from prefix64.routing.entries import Way
from prefix64.services.following import LOOK_DELAY, HostFollower, isActive
from prefix64.services.wanted import hostState, obstacle
from prefix64.settings import LinkSettings

_log = Logger("prefix64.routing")


class RoutingService(HostFollower):
    """
    Makes the prefixes local. What is in the kernel follows the host.
    """

    name = "routing"

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
        for call in filter(isActive, (self._rereadCall, self._compareCall)):
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

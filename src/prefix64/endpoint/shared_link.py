"""
One interface that endpoints share: who wants what of it, and what is undone when nobody does.
"""

from __future__ import annotations

import atexit
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.edges import Edges
from prefix64.endpoint.wanted import Part, Wanted, seeThatTheyAgree
from prefix64.errors import Prefix64Error
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.options.routing import checkProxied
from prefix64.ownership import Ownership
from prefix64.services.announcement import notes, served
from prefix64.services.in_order import stopped
from prefix64.services.link import LinkService, startLinks
from prefix64.services.prefix64 import makeStateDirectory
from prefix64.settings import NdpMode

_log = Logger("prefix64.endpoint")


class SharedLink:
    """
    An interface, from the first port on it to the last.

    @ivar name: the name of the interface.
    @ivar service: what serves it.
    @ivar serves: whether it does: not before the start, and not after the end.
    """

    def __init__(self, reactor: Any, wanted: Wanted, edges: Edges) -> None:
        """
        @param wanted: what the first endpoint wants.
        """
        self._reactor = reactor
        self._wanted = wanted
        self._edges = edges
        self._counts: Counter[Prefix] = Counter()
        self._trigger: Any = None
        self._process = 0
        self.name = wanted.settings.interface
        self.serves = False
        ownership = Ownership(wanted.settings.prefixes, wanted.settings.excluded)
        tables = CurrentTable(HostTable(ownership, wanted.hosts))
        self.service = LinkService(reactor, wanted.settings, wanted.stateDirectory, tables, edges)

    def start(self) -> None:
        """
        Begin to serve, for the first endpoint.

        @raise Prefix64Error: something is in the way, or the kernel refused: stop it.
        """
        if self._wanted.settings.ndp is NdpMode.KERNEL:
            makeStateDirectory(self._wanted.stateDirectory)
        startLinks([self.service], self._edges)
        self.service.startService()
        self.serves, self._process = True, os.getpid()
        # For programs that end without closing their ports, or before the reactor has run.
        self._trigger = self._reactor.addSystemEventTrigger("after", "shutdown", self._undo)
        atexit.register(self._atExit)
        self._counts.update(self._wanted.settings.prefixes)
        said = "; ".join([served([self._wanted.settings]), *notes([self.service])])
        _log.info("serving every address of {said}", said=said)

    def add(self, wanted: Wanted) -> None:
        """
        Serve one more endpoint.

        @raise Prefix64Error: it contradicts the others, something is in the way, or the kernel
            refused; everything is as it was.
        """
        seeThatTheyAgree(wanted, self._wanted)
        parts = wanted.parts
        new = {prefix: part for prefix, part in parts.items() if prefix not in self._counts}
        if new:
            self._serve({**self._wanted.parts, **new})
            _log.info("serving every address of {what} too", what=self._said(new))
        self._counts.update(parts.keys())

    def remove(self, wanted: Wanted) -> bool:
        """
        Serve one endpoint less.

        @return: whether nobody wants anything any more: stop it.
        """
        if not self.serves:
            return False
        self._counts.subtract(wanted.settings.prefixes)
        gone = [prefix for prefix, count in self._counts.items() if count <= 0]
        for prefix in gone:
            del self._counts[prefix]
        if gone and self._counts:
            self._serve({p: part for p, part in self._wanted.parts.items() if p in self._counts})
            _log.info("no longer serving {what}", what=self._said(gone))
        return not self._counts

    def _serve(self, parts: dict[Prefix, Part]) -> None:
        """
        Serve other prefixes from now on.

        @raise Prefix64Error: something is in the way of one that is new, or the kernel refused it;
            everything is as it was.
        """
        before, wanted = self._wanted, self._wanted.having(parts)
        settings = wanted.settings
        checkProxied(settings, wanted.hosts)
        self._list(wanted)
        try:
            self.service.routing.setPrefixes(settings.prefixes, settings.excluded, settings.behind)
        except Prefix64Error:
            self._list(before)
            raise
        self._wanted = wanted

    def _list(self, wanted: Wanted) -> None:
        """
        Put the hosts of some prefixes into the table; what is ours there stays.
        """
        tables = self.service.tables
        tables.table = HostTable(
            tables.table.ownership, wanted.hosts, generation=tables.table.generation + 1
        )

    def _said(self, prefixes: Iterable[Prefix]) -> str:
        """
        Some prefixes, and where they are.
        """
        return f"{' and '.join(map(str, prefixes))} on {self.name}"

    def stop(self) -> Deferred[Any]:
        """
        Undo everything. Also after a start that failed half-way.

        @return: fires when it is done.
        """
        self.serves = False
        atexit.unregister(self._atExit)
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
        return stopped(self.service)

    def _undo(self) -> None:
        """
        Undo everything when the reactor has stopped.
        """
        self._trigger = None  # it is no longer there to be removed
        self.stop()

    def _atExit(self) -> None:
        """
        Undo everything when the process ends; not when one ends that it has forked.
        """
        if os.getpid() == self._process:
            self._trigger = None
            self.stop()

"""
Endpoints of one process that serve the same interface share it: there is one instance for each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from prefix64.edges import Edges
from prefix64.endpoint.shared_link import SharedLink
from prefix64.endpoint.wanted import Wanted
from prefix64.hosts.table import CurrentTable
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.options.link import checkLink
from prefix64.options.values import findLink
from prefix64.privileges import checkPrivileges


class Share:
    """
    What an endpoint that listens has of its interface.

    @ivar tables: the host table of the interface.
    """

    def __init__(self, tables: CurrentTable, leave: Callable[[], Deferred[None]]) -> None:
        self.tables = tables
        self._leave: Callable[[], Deferred[None]] | None = leave

    @inlineCallbacks
    def leave(self) -> Any:
        """
        Give it up. May be called twice.

        @return: fires when what nobody else needs is undone.
        """
        leave, self._leave = self._leave, None
        if leave is not None:
            yield leave()


class SharedLinks:
    """
    The interfaces that endpoints serve.
    """

    def __init__(
        self,
        edges: Edges | None = None,
        findLink: Callable[[str], Link] = findLink,
        checkPrivileges: Callable[[bool, bool, Iterable[int]], None] = checkPrivileges,
    ) -> None:
        """
        @param edges: what opens sockets; the real thing if left out.
        @param findLink: finds an interface.
        @param checkPrivileges: sees what the process may do.
        """
        self._edges = edges or Edges()
        self._findLink = findLink
        self._checkPrivileges = checkPrivileges
        self._links: dict[str, SharedLink] = {}
        self._ending: dict[str, list[Deferred[None]]] = {}

    @inlineCallbacks
    def join(self, reactor: Any, wanted: Wanted, port: int) -> Any:
        """
        Serve some prefixes on an interface, together with those who serve it already.

        @param port: what will be listened on, for the check of privileges.
        @return: fires with the L{Share}, at once unless the interface is just being given up.
        @raise Prefix64Error: it cannot be served; nothing is changed.
        """
        link = self._findLink(wanted.settings.interface)
        while link.name in self._ending:
            waiting: Deferred[None] = Deferred()
            self._ending[link.name].append(waiting)
            yield waiting
            link = self._findLink(wanted.settings.interface)
        settings = dataclasses.replace(wanted.settings, interface=link.name)
        wanted = dataclasses.replace(wanted, settings=settings)
        self._check(wanted, link, port)
        shared = self._links.get(link.name)
        if shared is not None and shared.serves:
            shared.add(wanted)
        else:
            shared = self._links[link.name] = SharedLink(reactor, wanted, self._edges)
            try:
                shared.start()
            except BaseException:
                yield self._end(shared)
                raise
        return Share(shared.service.tables, lambda: self._leave(shared, wanted))

    def _check(self, wanted: Wanted, link: Link, port: int) -> None:
        """
        See that the interface can do what is wanted, and that nothing will be refused for want of a
        capability.

        @raise Prefix64Error: it cannot, or something would.
        """
        settings, ethernet = wanted.settings, link.hardwareType == ETHERNET
        checkLink(settings, link)
        self._checkPrivileges(
            settings.changesKernel(ethernet), settings.hasPackets(ethernet), (port,)
        )

    @inlineCallbacks
    def _leave(self, shared: SharedLink, wanted: Wanted) -> Any:
        """
        Serve what others still want.
        """
        if shared.remove(wanted):
            yield self._end(shared)

    @inlineCallbacks
    def _end(self, shared: SharedLink) -> Any:
        """
        Give up an interface. Whoever wants it meanwhile waits.
        """
        name = shared.name
        if self._links.get(name) is shared:
            del self._links[name]
            self._ending[name] = []
            yield shared.stop()
            for waiting in self._ending.pop(name):
                waiting.callback(None)

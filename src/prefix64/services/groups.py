"""
The solicited-node groups of listed hosts, joined while the protocol answers.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from twisted.logger import Logger

from prefix64.addressing import solicitedNodeGroup
from prefix64.errors import InterfaceError
from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.neighbor import listedHosts
from prefix64.link.groups import IGroupMembership

MOST_HOSTS = 1000
"""The most hosts whose groups are joined: switches have room for a few thousand groups in all."""

_log = Logger("prefix64.icmpv6")


class ListedGroups:
    """
    Keeps an interface a member of the groups of the first L{MOST_HOSTS} listed hosts. What cannot
    be joined is no reason to stop: without a switch in between nobody misses it.
    """

    def __init__(
        self, interface: str, tables: CurrentTable, join: Callable[[str], IGroupMembership]
    ) -> None:
        """
        @param interface: its name.
        @param join: given the name, the memberships of the interface of this moment.
        """
        self._interface = interface
        self._tables = tables
        self._join = join
        self._membership: IGroupMembership | None = None
        self._refused = ""
        self._saidHowMany = False

    def follow(self) -> None:
        """
        Join and leave, until the groups are those of the table of this moment.
        """
        table = self._tables.table
        hosts = list(islice(listedHosts(table), MOST_HOSTS + 1))
        if len(hosts) > MOST_HOSTS:
            self._sayHowMany(len(table.singleAddresses))
        try:
            if self._membership is None:
                self._membership = self._join(self._interface)
            self._membership.update(dict.fromkeys(map(solicitedNodeGroup, hosts[:MOST_HOSTS])))
        except InterfaceError as error:
            self._warn(str(error))
        else:
            self._refused = ""

    def close(self) -> None:
        """
        Leave all. The next L{follow} joins anew.
        """
        if self._membership is not None:
            self._membership.close()
            self._membership = None

    def _sayHowMany(self, listed: int) -> None:
        """
        Say once that not all are joined.
        """
        if not self._saidHowMany:
            self._saidHowMany = True
            _log.info(
                "of {listed} listed hosts the multicast groups of the first {most} are joined: a "
                "switch with MLD snooping may not let the others be found",
                listed=listed,
                most=MOST_HOSTS,
            )

    def _warn(self, why: str) -> None:
        """
        Say what could not be joined, once as long as it is the same.
        """
        if why != self._refused:
            _log.warn(
                "the multicast groups of listed hosts are not all joined on {name}: {why}: "
                "a switch with MLD snooping may not let them be found",
                name=self._interface,
                why=why,
            )
        self._refused = why

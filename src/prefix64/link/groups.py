"""
The multicast groups that an interface is a member of, for the switches between us and those who
solicit (RFC 4291 2.8, RFC 4541): one that does MLD snooping delivers a solicitation only to the
ports that reported its group.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable

from zope.interface import Interface, implementer

from prefix64.addressing import formatAddress
from prefix64.errors import InterfaceError

MOST_SOCKETS = 64
"""The most sockets that memberships are spread over: net.core.optmem_max bounds those of one."""

_FULL = (errno.ENOBUFS, errno.ENOMEM)


class IGroupMembership(Interface):
    """
    Memberships of one interface. They end with the process, however that ends.
    """

    def update(groups: Iterable[int]) -> None:
        """
        Be a member of exactly these groups: leave others that were joined before, join what is new.

        @param groups: multicast addresses, as integers.
        @raise InterfaceError: one cannot be joined, or this was closed; the text says why. Those
            before it in order are joined.
        """

    def close() -> None:
        """
        Leave all. May be called twice.
        """


@implementer(IGroupMembership)
class GroupSockets:
    """
    Memberships of UDP sockets (C{IPV6_JOIN_GROUP}, RFC 3493 5.2), which nothing is received on: the
    kernel reports the groups (MLD, RFC 3810), and goes on to do so while the link goes down and up.
    """

    def __init__(self, interface: str) -> None:
        """
        @param interface: its name. One that is deleted and made again needs another of these.
        @raise InterfaceError: it is missing.
        """
        try:
            self._index = socket.if_nametoindex(interface)
        except OSError:
            raise InterfaceError(f"interface {interface!r} does not exist") from None
        self._sockets: dict[socket.socket, set[int]] = {}
        self._open = True

    def update(self, groups: Iterable[int]) -> None:
        """
        See L{IGroupMembership.update}.
        """
        if not self._open:
            raise InterfaceError("the memberships of the interface were closed")
        wanted = dict.fromkeys(groups)
        for member, joined in list(self._sockets.items()):
            self._leave(member, joined - wanted.keys())
        joined = set().union(*self._sockets.values())
        for group in wanted:
            if group not in joined:
                self._join(group)

    def close(self) -> None:
        """
        See L{IGroupMembership.close}.
        """
        self._open = False
        for member in self._sockets:
            member.close()
        self._sockets.clear()

    def _leave(self, member: socket.socket, groups: set[int]) -> None:
        """
        Leave groups of a socket; one that has none left is closed.
        """
        for group in groups:
            with contextlib.suppress(OSError):
                self._set(member, socket.IPV6_LEAVE_GROUP, group)
        self._sockets[member] -= groups
        if not self._sockets[member]:
            del self._sockets[member]
            member.close()

    def _join(self, group: int) -> None:
        """
        Join a group, on the first socket that has room, or on a new one.

        @raise InterfaceError: the kernel refused.
        """
        try:
            for member in reversed(self._sockets):
                if self._joins(member, group):
                    return
            self._joinAnew(group)
        except OSError as error:
            raise InterfaceError(
                f"{formatAddress(group)}: {os.strerror(error.errno or 0)}"
            ) from None

    def _joinAnew(self, group: int) -> None:
        """
        Join a group on a new socket.

        @raise OSError: the kernel refused, or there are enough sockets.
        """
        if len(self._sockets) >= MOST_SOCKETS:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._set(member, socket.IPV6_JOIN_GROUP, group)
        except OSError:
            member.close()
            raise
        self._sockets[member] = {group}

    def _joins(self, member: socket.socket, group: int) -> bool:
        """
        Join a group on a socket.

        @return: whether it had room.
        @raise OSError: the kernel refused for another reason.
        """
        try:
            self._set(member, socket.IPV6_JOIN_GROUP, group)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return False
        self._sockets[member].add(group)
        return True

    def _set(self, member: socket.socket, option: int, group: int) -> None:
        """
        Join or leave (C{struct ipv6_mreq}: the group, and the interface's index).
        """
        request = struct.pack("@16si", group.to_bytes(16, "big"), self._index)
        member.setsockopt(socket.IPPROTO_IPV6, option, request)

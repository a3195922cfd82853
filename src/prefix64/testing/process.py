"""
What a process holds, in memory: locks and listening sockets.
"""

from __future__ import annotations

import socket

from prefix64.errors import InterfaceError
from prefix64.instance_lock import SERVED
from prefix64.option_text import OptionText


class MemoryLock:
    """
    The lock of an instance, in memory.

    @cvar held: the locks that are held, by interface.
    """

    held: dict[str, MemoryLock] = {}

    def __init__(self, interface: str, refusal: str = SERVED) -> None:
        """
        @raise InterfaceError: it is locked.
        """
        if interface in self.held:
            raise InterfaceError(OptionText(refusal, interface, "by another process"))
        self.held[interface] = self
        self._interface = interface

    def release(self) -> None:
        """
        Let it go.
        """
        if self.held.get(self._interface) is self:
            del self.held[self._interface]

    @classmethod
    def holder(cls, interface: str) -> str | None:
        """
        Who holds the lock of an interface, in words.
        """
        return "by another process" if interface in cls.held else None


def unlistened(port: int) -> socket.socket:
    """
    A socket that stands for one that listens, for a reactor in memory to adopt.
    """
    return socket.socket(socket.AF_INET6, socket.SOCK_STREAM)

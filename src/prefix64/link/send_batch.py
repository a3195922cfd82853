"""
Many frames out with one system call: sendmmsg(2), which the standard library does not have.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Sequence
from typing import Final

MOST: Final = 64
"""Frames of a system call."""


class _Part(ctypes.Structure):
    """
    C{struct iovec}.
    """

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    """
    C{struct msghdr}.
    """

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("nameLength", ctypes.c_uint),
        ("parts", ctypes.c_void_p),
        ("partCount", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controlLength", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    """
    C{struct mmsghdr}: a message, and how many of its bytes were sent.
    """

    _fields_ = [("header", _Header), ("sent", ctypes.c_uint)]


class SendBatch:
    """
    Sends frames of one length, which lie one behind the other in memory of ours.
    """

    def __init__(self, length: int) -> None:
        """
        @param length: bytes of each frame.
        """
        self._length = length
        self._memory = bytearray(MOST * length)
        self._pinned = (ctypes.c_char * len(self._memory)).from_buffer(self._memory)
        first = ctypes.addressof(self._pinned)
        self._parts = (_Part * MOST)(*(_Part(first + i * length, length) for i in range(MOST)))
        self._messages = (_Message * MOST)()
        part = ctypes.addressof(self._parts)
        for number, message in enumerate(self._messages):
            message.header.parts = part + number * ctypes.sizeof(_Part)
            message.header.partCount = 1
        self._address = ctypes.addressof(self._messages)
        self._send = ctypes.CDLL(None, use_errno=True).sendmmsg
        self._send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

    def send(self, descriptor: int, frames: Sequence[bytes]) -> list[OSError]:
        """
        Send frames, in order.

        @return: the error of each frame that could not be sent.
        """
        errors: list[OSError] = []
        for first in range(0, len(frames), MOST):
            self._sendSome(descriptor, frames[first : first + MOST], errors)
        return errors

    def _sendSome(self, descriptor: int, frames: Sequence[bytes], errors: list[OSError]) -> None:
        """
        Send at most L{MOST} frames. A call ends before the first that fails, or fails with the
        error of its first: that one is passed over, and the call made for the rest.
        """
        count, done = len(frames), 0
        self._memory[: count * self._length] = b"".join(frames)
        while done < count:
            at = self._address + done * ctypes.sizeof(_Message)
            sent = self._send(descriptor, at, count - done, socket.MSG_DONTWAIT)
            if sent < 0:
                number = ctypes.get_errno()
                errors.append(OSError(number, os.strerror(number)))
                sent = 1
            done += sent

"""
The system calls of the link: an AF_PACKET socket (packet(7)), behind an interface that
L{prefix64.testing.MemoryLink} implements too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct

from zope.interface import Attribute, Interface, implementer

from prefix64.errors import InterfaceError, PrivilegeError

ETHERNET = 1
"""The hardware type of Ethernet, ARPHRD_ETHER."""

RECEIVE_BUFFER = 4 << 20
"""Bytes of frames that the kernel keeps for us while we are busy."""

LARGEST_FRAME = 65_550

_ETH_P_IPV6 = 0x86DD
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_ALLMULTI = 2
_PACKET_STATISTICS = 6
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33


class ILinkSocket(Interface):
    """
    Frames of one interface.
    """

    linkLayerAddress = Attribute("""The interface's link-layer address: C{bytes}, 6 of them.""")

    def fileno() -> int:
        """
        The descriptor, to wait on.
        """

    def receive() -> tuple[bytes, int]:
        """
        Take a frame that has come.

        @return: the frame from its link-layer header on, and its packet type.
        @raise BlockingIOError: none has come.
        @raise OSError: the interface went down (C{ENETDOWN}).
        """

    def send(frame: bytes) -> None:
        """
        Send a frame.

        @param frame: from its link-layer header on.
        @raise OSError: it was not sent: the queue is full, or the interface is down.
        """

    def drops() -> int:
        """
        How many frames the kernel has dropped since the last call, because we were too slow.
        """

    def close() -> None:
        """
        Close it. The interface's ALLMULTI goes back to what it was.
        """


def attachFilter(to: socket.socket, program: bytes) -> None:
    """
    Put a classic BPF program in front of a socket.

    @param program: an array of C{struct sock_filter}, of 8 bytes each.
    """
    instructions = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("HL", len(program) // 8, ctypes.addressof(instructions))
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)


@implementer(ILinkSocket)
class PacketSocket:
    """
    An AF_PACKET socket on an Ethernet interface, with the interface set to receive all multicast
    for as long as it is open: solicitations go to 2**24 groups, and no interface can join them all.
    """

    def __init__(self, interface: str, program: bytes) -> None:
        """
        @param interface: its name.
        @param program: the filter (L{prefix64.link.socket_filter}); attached before the first frame
            can come.
        @raise PrivilegeError: CAP_NET_RAW is missing.
        @raise InterfaceError: the interface is missing, or is not Ethernet.
        """
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
            )
        except PermissionError:
            raise PrivilegeError(
                "a packet socket needs CAP_NET_RAW: run it as root (sudo)"
            ) from None
        try:
            self._open(interface, program)
        except OSError as error:
            self._socket.close()
            raise InterfaceError(
                f"interface {interface!r}: no packet socket: {os.strerror(error.errno or 0)}"
            ) from None
        except InterfaceError:
            self._socket.close()
            raise

    def _open(self, interface: str, program: bytes) -> None:
        """
        Filter, buffer, bind and join, in this order.
        """
        attachFilter(self._socket, program)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.bind((interface, _ETH_P_IPV6))
        _, _, _, hardwareType, linkLayerAddress = self._socket.getsockname()
        if hardwareType != ETHERNET:
            raise InterfaceError(
                f"interface {interface!r} is not Ethernet: it has no solicitations"
            )
        self.linkLayerAddress = bytes(linkLayerAddress)
        index = socket.if_nametoindex(interface)
        self._socket.setsockopt(
            _SOL_PACKET,
            _PACKET_ADD_MEMBERSHIP,
            struct.pack("iHH8s", index, _PACKET_MR_ALLMULTI, 0, b""),
        )

    def fileno(self) -> int:
        """
        See L{ILinkSocket.fileno}.
        """
        return self._socket.fileno()

    def receive(self) -> tuple[bytes, int]:
        """
        See L{ILinkSocket.receive}.
        """
        frame, (_, _, packetType, _, _) = self._socket.recvfrom(LARGEST_FRAME)
        return frame, packetType

    def send(self, frame: bytes) -> None:
        """
        See L{ILinkSocket.send}.
        """
        self._socket.send(frame)

    def drops(self) -> int:
        """
        See L{ILinkSocket.drops}.
        """
        with contextlib.suppress(OSError):
            statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            return int(struct.unpack("II", statistics)[1])
        return 0

    def close(self) -> None:
        """
        See L{ILinkSocket.close}.
        """
        self._socket.close()

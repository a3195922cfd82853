"""
The system calls of the link: an AF_PACKET socket (packet(7)), behind an interface that
L{prefix64.testing.MemoryLink} implements too.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from mmap import mmap

from zope.interface import Attribute, Interface, implementer

from prefix64.errors import InterfaceError, PrivilegeError
from prefix64.link.receive_ring import SLOT, SLOTS, VERSION, ReceiveRing, ringRequest
from prefix64.link.send_batch import SendBatch

ETHERNET = 1
"""The hardware type of Ethernet, ARPHRD_ETHER."""

RECEIVE_BUFFER = 4 << 20
"""Bytes of frames that did not fit into the ring, which the kernel keeps while we are busy."""

LARGEST_FRAME = 65_550

USUAL_LENGTH = 86
"""Bytes of an advertisement: what is sent most."""

_MOST_ERRORS = 16
"""Errors in a row that may stand before a frame."""

_ETH_P_IPV6 = 0x86DD
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_ALLMULTI = 2
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_COPY_THRESH = 7
_PACKET_VERSION = 10
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SIOCGIFINDEX = 0x8933


class ILinkSocket(Interface):
    """
    Frames of one interface.
    """

    linkLayerAddress = Attribute("""The interface's link-layer address: C{bytes}, 6 of them.""")

    def fileno() -> int:
        """
        The descriptor, to wait on.
        """

    def receive(most: int) -> list[tuple[bytes, int]]:
        """
        Take frames that have come, in order; none, if none has.

        @param most: at most so many.
        @return: each frame from its link-layer header on, with its packet type.
        """

    def takeError() -> OSError | None:
        """
        Take what the interface has to report, such as C{ENETDOWN} when it went down. As long as it
        is not taken the descriptor is readable.
        """

    def send(frame: bytes) -> None:
        """
        Send a frame.

        @param frame: from its link-layer header on.
        @raise OSError: it was not sent: the queue is full, or the interface is down.
        """

    def sendAll(frames: Sequence[bytes]) -> list[OSError]:
        """
        Send frames. Those of a length that many have may go out before the others.

        @return: the error of each that was not sent.
        """

    def drops() -> int:
        """
        How many frames the kernel has dropped since the last call, because we were too slow.
        """

    def setFilter(program: bytes) -> None:
        """
        Put another filter program in the place of the one there is, at once: no frame is lost, and
        none comes twice.

        @raise OSError: the kernel refused; the one there is stays.
        """

    def isBound() -> bool:
        """
        Tell whether the interface is still there. One that was deleted and made again is another.
        """

    def unread() -> int:
        """
        How many frames have come and were not received.
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
        self._ring: ReceiveRing | None = None
        self._batch = SendBatch(USUAL_LENGTH)
        self._error: OSError | None = None
        self._sockets: list[socket.socket] = []
        try:
            self._open(interface, program)
        except PermissionError:
            self.close()
            raise PrivilegeError(
                "a packet socket needs CAP_NET_RAW: run it as root (sudo)"
            ) from None
        except OSError as error:
            self.close()
            raise InterfaceError(
                f"interface {interface!r}: no packet socket: {os.strerror(error.errno or 0)}"
            ) from None
        except InterfaceError:
            self.close()
            raise

    def _open(self, interface: str, program: bytes) -> None:
        """
        Filter, share the ring, bind and join, in this order.
        """
        self._socket, self._sender = self._packetSocket(), self._packetSocket()
        attachFilter(self._socket, program)
        self._share()
        self._socket.bind((interface, _ETH_P_IPV6))
        _, _, _, hardwareType, linkLayerAddress = self._socket.getsockname()
        if hardwareType != ETHERNET:
            raise InterfaceError(
                f"interface {interface!r} is not Ethernet: it has no solicitations"
            )
        self.linkLayerAddress = bytes(linkLayerAddress)
        # One more to send, that the reactor does not watch: it would be woken by each frame sent.
        self._sender.bind((interface, 0))
        index = self._interfaceIndex(interface)
        assert self._ring is not None
        self._ring.interface = index
        self._socket.setsockopt(
            _SOL_PACKET,
            _PACKET_ADD_MEMBERSHIP,
            struct.pack("iHH8s", index, _PACKET_MR_ALLMULTI, 0, b""),
        )

    def _interfaceIndex(self, interface: str) -> int:
        """
        The index of the interface; asked with a socket that there is, for there may be no other.
        """
        request = struct.pack("16si", interface.encode(), 0)
        _, index = struct.unpack("16si", fcntl.ioctl(self._socket, _SIOCGIFINDEX, request))
        return int(index)

    def _packetSocket(self) -> socket.socket:
        """
        Make a packet socket that receives nothing yet.
        """
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._sockets.append(socket.socket(socket.AF_PACKET, kind, 0))
        return self._sockets[-1]

    def _share(self) -> None:
        """
        Have the kernel share a ring of frames with us.
        """
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, VERSION)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_COPY_THRESH, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, ringRequest())
        self._ring = ReceiveRing(mmap(self._socket.fileno(), SLOT * SLOTS), self._whole)

    def fileno(self) -> int:
        """
        See L{ILinkSocket.fileno}.
        """
        return self._socket.fileno()

    def receive(self, most: int) -> list[tuple[bytes, int]]:
        """
        See L{ILinkSocket.receive}.
        """
        if self._ring is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._ring.take(most)

    def _whole(self) -> bytes | None:
        """
        Take a frame that did not fit into the ring. An error of the interface that stands before it
        is kept.
        """
        for _ in range(_MOST_ERRORS):
            try:
                return self._socket.recv(LARGEST_FRAME)
            except BlockingIOError:
                break
            except OSError as error:
                self._error = error
        return None

    def takeError(self) -> OSError | None:
        """
        See L{ILinkSocket.takeError}.
        """
        kept, self._error = self._error, None
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else kept

    def send(self, frame: bytes) -> None:
        """
        See L{ILinkSocket.send}.
        """
        self._sender.send(frame)

    def sendAll(self, frames: Sequence[bytes]) -> list[OSError]:
        """
        See L{ILinkSocket.sendAll}.
        """
        if len(frames) > 1:
            usual = [frame for frame in frames if len(frame) == USUAL_LENGTH]
            errors = self._batch.send(self._sender.fileno(), usual)
            frames = [frame for frame in frames if len(frame) != USUAL_LENGTH]
        else:
            errors = []
        for frame in frames:
            try:
                self._sender.send(frame)
            except OSError as error:
                errors.append(error)
        return errors

    def drops(self) -> int:
        """
        See L{ILinkSocket.drops}.
        """
        if self._ring is None:
            return 0
        cut, self._ring.cut = self._ring.cut, 0
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return cut + int(struct.unpack("II", statistics)[1])

    def setFilter(self, program: bytes) -> None:
        """
        See L{ILinkSocket.setFilter}.
        """
        attachFilter(self._socket, program)

    def isBound(self) -> bool:
        """
        See L{ILinkSocket.isBound}. The kernel unbinds a socket whose interface goes.
        """
        return self._ring is not None and bool(self._socket.getsockname()[0])

    def unread(self) -> int:
        """
        See L{ILinkSocket.unread}.
        """
        return 0 if self._ring is None else self._ring.waiting()

    def close(self) -> None:
        """
        See L{ILinkSocket.close}.
        """
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        for one in self._sockets:
            one.close()

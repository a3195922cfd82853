"""
The listening socket: one for all addresses.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Container

from prefix64.errors import ListenError
from prefix64.option_text import OptionText

BACKLOG = 1024
"""How many connections may wait to be accepted. Twisted's own default is 50."""

_UNDELIVERED = ("04", "09", "0B")
"""FIN_WAIT1, LAST_ACK, CLOSING, as /proc/net/tcp6 has them."""


def listenOnEveryAddress(port: int) -> socket.socket:
    """
    Listen on C{[::]:port}, IPv6 only, so that an IPv4 server on the same port is no conflict and
    no IPv4-mapped visitor gets in.

    @param port: 1 to 65535; 0 for one that the kernel picks.
    @raise ListenError: the port is in use, or it needs a privilege that the process lacks.
    """
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(("::", port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(whyNot(port, error)) from None
    return listener


def isDelivering(ports: Container[int]) -> bool:
    """
    Tell whether the kernel still holds bytes of an answer that the visitor has not acknowledged, on
    a connection that we have closed. They arrive only as long as the address is local.

    @param ports: the local ports.
    """
    with open("/proc/net/tcp6") as table:
        next(table)
        for line in table:
            _, local, _, state = line.split(None, 4)[:4]
            if state in _UNDELIVERED and int(local.rpartition(":")[2], 16) in ports:
                return True
    return False


def whyNot(port: int, error: OSError) -> OptionText:
    """
    Why a port cannot be listened on, and what to do.
    """
    if error.errno == errno.EADDRINUSE:
        return OptionText(
            "port {0} is in use (ss -6ltnp 'sport = :{0}' shows by whom): "
            "stop that server, or choose another port with {http:PORT}",
            port,
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return OptionText(
            "port {0} needs root or CAP_NET_BIND_SERVICE: or choose one above 1023 ({http})", port
        )
    return OptionText("port {0} cannot be listened on: {1}", port, os.strerror(error.errno or 0))

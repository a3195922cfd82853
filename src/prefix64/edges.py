"""
Where the services meet the world: what opens a socket, each replaceable by a fake.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from prefix64.instance_lock import InstanceLock, holder, oneStartAtATime
from prefix64.kernel.guard import Guard, IGuard
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.monitor import Monitor
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.kernel.ssh_peers import sshPeers
from prefix64.link.groups import GroupSockets, IGroupMembership
from prefix64.link.packet_socket import ILinkSocket, PacketSocket
from prefix64.routing.entries import GuardKind
from prefix64.web.listening import isDelivering, listenOnEveryAddress


@dataclass(frozen=True)
class Edges:
    """
    The makers of everything that is outside. The defaults are the real ones.

    @ivar lock: given an interface's name, and perhaps the text of a refusal, the lock of the
        instance.
    @ivar holder: given an interface's name, who holds its lock, in words, or L{None}.
    @ivar turn: a context in which no other instance of the network namespace starts.
    @ivar kernel: the kernel's routing tables.
    @ivar monitor: see L{Monitor}.
    @ivar guard: keeps the kernel from answering echo.
    @ivar link: given an interface's name and a filter program, its packet socket.
    @ivar groups: given an interface's name, its multicast groups.
    @ivar listen: given a port, a listening socket.
    @ivar sshPeers: the addresses from which somebody is here by ssh.
    @ivar clock: the time in seconds, from any moment on, that nobody can set.
    @ivar isDelivering: given ports, whether answers are still on their way from them.
    """

    lock: Callable[..., Any] = InstanceLock
    holder: Callable[[str], str | None] = holder
    turn: Callable[[], AbstractContextManager[None]] = oneStartAtATime
    kernel: Callable[[], IRoutingKernel] = RoutingKernel
    monitor: Callable[..., Any] = Monitor
    guard: Callable[[GuardKind], IGuard] = Guard
    link: Callable[[str, bytes], ILinkSocket] = PacketSocket
    groups: Callable[[str], IGroupMembership] = GroupSockets
    listen: Callable[[int], socket.socket] = listenOnEveryAddress
    sshPeers: Callable[[], frozenset[int]] = sshPeers
    clock: Callable[[], float] = time.monotonic
    isDelivering: Callable[[Container[int]], bool] = isDelivering

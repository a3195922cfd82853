"""
The kernel's switches of one interface: /proc/sys/net/ipv6/conf, of the network namespace of whoever
opens it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from prefix64.errors import PrivilegeError, RoutingError
from prefix64.routing.entries import Sysctl

_ROOT = Path("/proc/sys/net/ipv6/conf")


def readSwitch(interface: str, name: str) -> str | None:
    """
    Read a switch.

    @param interface: the interface's name, or C{all}.
    @return: what it is, without the end of the line; L{None} if there is none of that name.
    """
    try:
        return (_ROOT / interface / name).read_text().strip()
    except OSError:
        return None


def writeSwitch(sysctl: Sysctl) -> None:
    """
    Set a switch.

    @raise PrivilegeError: CAP_NET_ADMIN is missing, or /proc/sys is for reading only.
    @raise RoutingError: the kernel refused.
    """
    try:
        with open(_ROOT / sysctl.interface / sysctl.name, "w") as switch:
            switch.write(sysctl.value)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
            raise PrivilegeError(
                f"sysctl {sysctl}: it needs CAP_NET_ADMIN, and /proc/sys that can be written to: "
                "run it as root (sudo)"
            ) from None
        raise RoutingError(f"sysctl {sysctl}: {os.strerror(error.errno or 0)}") from None


def switchedInterfaces() -> list[str]:
    """
    The names of the interfaces that have IPv6.
    """
    try:
        return sorted({path.name for path in _ROOT.iterdir()} - {"all", "default"})
    except OSError:
        return []

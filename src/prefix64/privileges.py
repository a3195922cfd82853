"""
What the process may do, as the kernel says (capabilities(7)).
"""

from __future__ import annotations

from collections.abc import Iterable

from prefix64.errors import PrivilegeError

CAP_NET_BIND_SERVICE = 10
CAP_NET_ADMIN = 12
CAP_NET_RAW = 13

_NAMES = {
    CAP_NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE",
    CAP_NET_ADMIN: "CAP_NET_ADMIN",
    CAP_NET_RAW: "CAP_NET_RAW",
}


def effectiveCapabilities() -> int:
    """
    The effective set of this process, a bit for each capability.
    """
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def hasCapability(number: int) -> bool:
    """
    Tell whether this process has a capability.
    """
    return bool(effectiveCapabilities() >> number & 1)


def firstUnprivilegedPort() -> int:
    """
    The lowest port that needs no privilege, 1024 unless the host says otherwise.
    """
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as setting:
            return int(setting.read())
    except (OSError, ValueError):
        return 1024


def checkPrivileges(admin: bool, packets: bool, ports: Iterable[int]) -> None:
    """
    See, before anything is changed, that nothing will be refused for want of a capability.

    @param admin: whether something will be changed in the kernel.
    @param packets: whether there will be a packet socket.
    @param ports: the ports that will be listened on.
    @raise PrivilegeError: something is missing.
    """
    wanted = ([CAP_NET_ADMIN] if admin else []) + ([CAP_NET_RAW] if packets else [])
    lowest = firstUnprivilegedPort()
    if any(0 < port < lowest for port in ports):
        wanted.append(CAP_NET_BIND_SERVICE)
    missing = [_NAMES[number] for number in wanted if not hasCapability(number)]
    if missing:
        raise PrivilegeError(f"this needs {' and '.join(missing)}: run it as root (sudo)")

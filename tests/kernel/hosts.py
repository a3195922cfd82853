"""
Single hosts that have both ends of their links themselves, and the prefix64 command on them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.kernel.namespaces import SERVER_LAYER, SERVER_LINK_LOCAL, Namespace, quicken
from tests.kernel.twistd import environment

_MAIN = "import sys; from prefix64.cli import main; sys.exit(main())"

UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""What takes every capability from a process."""


def makeHost(namespace: Namespace, *interfaces: str) -> None:
    """
    Give a host Ethernet interfaces, an address inside and outside of the prefix, and a gateway.
    """
    for number, name in enumerate(interfaces):
        namespace.ip(f"link add {name} type veth peer name end{number}")
        namespace.ip(f"link set dev end{number} addrgenmode none up")
        quicken(namespace, f"end{number}")
        layer = f"{SERVER_LAYER[:-1]}{number + 2}"
        namespace.ip(f"link set dev {name} address {layer} addrgenmode none up")
        quicken(namespace, name)
    first = interfaces[0]
    namespace.ip(f"address add {SERVER_LINK_LOCAL}/64 dev {first} nodad")
    namespace.ip(f"address add 2001:db8::b:1/128 dev {first} nodad")
    namespace.ip(f"route add 2001:db8::1/128 dev {first}")
    namespace.ip(f"route add default via 2001:db8::1 dev {first}")


def prefix64(
    namespace: Namespace, *arguments: str, within: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """
    Run the prefix64 command to its end.

    @param within: a command that runs it.
    """
    return subprocess.run(
        namespace.command(*within, sys.executable, "-c", _MAIN, *arguments),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def tablesOf(namespace: Namespace) -> str:
    """
    Rules, routes, neighbor proxies and nf_tables; of these without what only the process itself can
    have: the owner, and what was counted.
    """
    shown = [
        namespace.ip(f"-6 -N -d {what}")
        for what in ("rule show", "route show table all", "neigh show proxy")
    ]
    ruleset = namespace.run("nft", "list", "ruleset").stdout
    ruleset = re.sub(r" # progname \S+|\n\tflags owner\n(?=\n)|\n\tflags owner", "", ruleset)
    return "\n".join([*shown, re.sub(r"packets \d+ bytes \d+", "", ruleset)])


def switchesOf(namespace: Namespace) -> str:
    """
    Every switch of every interface.
    """
    return namespace.run("sh", "-c", "cd /proc/sys/net/ipv6/conf && grep -s . */* | sort").stdout


def makeSite(directory: Path, name: str) -> Path:
    """
    A tree of sites with one site.
    """
    site = directory / "sites" / name
    site.mkdir(parents=True, exist_ok=True)
    (site / "index.html").write_text(name)
    return directory / "sites"

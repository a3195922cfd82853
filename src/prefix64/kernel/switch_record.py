"""
What switches were before they were changed, in a file: so that the next start, or
C{prefix64 cleanup}, can put them back after a crash.

The switches end with their interface, network namespace and boot, so the record names all three.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefix64.errors import StateError
from prefix64.option_text import OptionText
from prefix64.routing.entries import Sysctl
from prefix64.routing.plan import PROXY_SWITCHES

_SO_NETNS_COOKIE = 71
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = "/proc/thread-self/ns/net"
_MOST_BYTES = 1 << 20
_LONGEST_NAME = 15
"""Bytes in the name of an interface, at most (IFNAMSIZ)."""


@dataclass(frozen=True)
class Changed:
    """
    A switch that was changed.

    @ivar sysctl: what it was set to.
    @ivar before: what it was.
    """

    sysctl: Sysctl
    before: str

    @property
    def undone(self) -> Sysctl:
        """What puts it back."""
        return Sysctl(self.sysctl.interface, self.sysctl.name, self.before, "as it was")

    def on(self, interface: str) -> Changed:
        """
        The change as it is on an interface that has another name now.
        """
        return Changed(Sysctl(interface, self.sysctl.name, self.sysctl.value), self.before)


def namespaceName() -> str:
    """
    A name of this thread's network namespace that no other has until the next boot: its cookie
    (Linux 5.14), or the number of its inode.
    """
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
        try:
            packed = one.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
            return f"{struct.unpack('=Q', packed)[0]}"
        except OSError:
            return f"i{os.stat(_NAMESPACE).st_ino}"


class SwitchRecord:
    """
    The record of one interface.
    """

    def __init__(self, directory: str, interface: str) -> None:
        """
        @param directory: the state directory.
        @param interface: the name of the served interface.
        """
        self._namespace = namespaceName()
        self._interface = interface
        self._path = Path(directory) / f"switches-{self._namespace}-{interface}.json"

    def read(self, index: int | None) -> list[Changed]:
        """
        What an earlier run changed, in order, and did not put back. What that was on other
        interfaces is so whichever interface there is now.

        @param index: of the interface that there is now; another one has switches of its own.
        @return: nothing, if there is no such run, or nothing that could be read.
        """
        try:
            found = self._document()
            if not _isNow(found, found["index"]):
                return []
            changed, same = list(map(_changed, found["switches"])), _isNow(found, index)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []
        return [one for one in changed if same or one.sysctl.interface != self._interface]

    def renamed(self, names: Mapping[int, str]) -> list[Changed]:
        """
        What an earlier run changed on the interface, if that has another name now, and under that.

        @param names: those of the interfaces that there are now, by their indexes.
        """
        try:
            found = self._document()
            name = names.get(found["index"], self._interface)
            if name == self._interface or not _isNow(found, found["index"]):
                return []
            changed = list(map(_changed, found["switches"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []
        return [one.on(name) for one in changed if one.sysctl.interface == self._interface]

    def isStale(self, index: int | None) -> bool:
        """
        Tell whether there is a record that nobody needs any more: its switches went with a boot, or
        with an interface of the same name.

        @param index: of the interface that there is now; L{None} for none.
        @return: whether that is certain.
        """
        try:
            return not _isNow(self._document(), index) and not self.read(index)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    @property
    def path(self) -> str:
        """Where the record is, or would be."""
        return str(self._path)

    def _document(self) -> Any:
        """
        What is written down.
        """
        with open(self._path, encoding="utf-8") as file:
            return json.loads(file.read(_MOST_BYTES))

    def write(self, changed: list[Changed], index: int) -> None:
        """
        Replace the record, at once; or remove it, if nothing is changed.

        @raise StateError: it cannot be written.
        """
        if not changed:
            with contextlib.suppress(OSError):
                self._path.unlink()
            return
        switches = [[c.sysctl.interface, c.sysctl.name, c.before, c.sysctl.value] for c in changed]
        document = {
            "boot": _BOOT.read_text().strip(),
            "index": index,
            "interface": self._interface,
            "switches": switches,
        }
        new = self._path.with_suffix(".new")
        try:
            with open(new, "w", encoding="utf-8") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise StateError(
                OptionText(
                    "{state:{0!r}}: what sysctls were cannot be written down: "
                    "{1}: make room, or choose another directory",
                    str(self._path.parent),
                    error.strerror,
                )
            ) from None


def recordedInterfaces(directory: str) -> Iterator[str]:
    """
    The interfaces of this network namespace of which there is a record.

    @param directory: the state directory.
    """
    start = f"switches-{namespaceName()}-"
    with contextlib.suppress(OSError):
        for path in sorted(Path(directory).iterdir()):
            if path.name.startswith(start) and path.suffix == ".json":
                yield path.name[len(start) : -len(".json")]


def _isNow(document: Any, index: int | None) -> bool:
    """
    Tell whether a record is of this boot, and of the interface that there is now.
    """
    now: bool = (document["boot"], document["index"]) == (_BOOT.read_text().strip(), index)
    return now


def _changed(row: Any) -> Changed:
    """
    Read one row of a record.

    @raise ValueError: it is none that is written here. A name leads nowhere else.
    """
    interface, name, before, value = map(str, row)
    isName = 0 < len(os.fsencode(interface)) <= _LONGEST_NAME and not set(interface) & set("/\0")
    ofOne = interface not in (".", "..", "all", "default")
    numbers = all(re.fullmatch("-?[0-9]{1,10}", number) for number in (before, value))
    if not (isName and ofOne and numbers and name in PROXY_SWITCHES):
        raise ValueError(row)
    return Changed(Sysctl(interface, name, value), before)

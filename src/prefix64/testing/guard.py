"""
The echo guard in memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from zope.interface import implementer

from prefix64.addressing import Prefix
from prefix64.errors import GuardError, PrivilegeError
from prefix64.kernel.guard import IGuard
from prefix64.routing.entries import (
    GuardKind,
)


@implementer(IGuard)
class MemoryGuard:
    """
    A guard in memory.

    @ivar kind: what it drops.
    @ivar interface: what it was installed on; L{None} before, and after it was closed.
    @ivar prefixes: the prefixes it was installed with.
    @ivar others: what it spares.
    @ivar refusal: raised by L{install} and L{serve}, if set.
    """

    def __init__(self, kind: GuardKind, refusal: GuardError | PrivilegeError | None = None) -> None:
        self.kind = kind
        self.refusal = refusal
        self.interface: str | None = None
        self.prefixes: list[Prefix] = []
        self.others: list[Prefix] = []

    def rehearse(
        self, interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]
    ) -> None:
        """
        See L{IGuard.rehearse}.
        """
        if self.refusal is not None:
            raise self.refusal

    def install(self, interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.install}.
        """
        if self.refusal is not None:
            raise self.refusal
        self.interface, self.prefixes, self.others = interface, list(prefixes), list(others)

    def update(self, others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.update}.
        """
        self.others = list(others)

    def serve(self, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.serve}.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.interface is not None:
            self.prefixes, self.others = list(prefixes), list(others)

    def close(self) -> None:
        """
        See L{IGuard.close}.
        """
        self.interface = None

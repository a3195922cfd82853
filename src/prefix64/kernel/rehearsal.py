"""
The kernel's tables as they would be: what is added and set is only remembered, in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.switch_record import Changed, SwitchRecord
from prefix64.routing.commands import Entry
from prefix64.routing.entries import Proxy, Route, Rule, Sysctl


class Rehearsal:
    """
    Stands before a kernel, in which nothing of ours is seen, and changes nothing there. Switches
    are seen as they were set.

    @ivar done: what was added and set, in order.
    """

    def __init__(self, kernel: IRoutingKernel) -> None:
        """
        @param kernel: what there is is read from it.
        """
        self._kernel = kernel
        self._switches: dict[str, str] = {}
        self.done: list[Entry] = []

    def __getattr__(self, name: str) -> Any:
        """
        What is not changed is as it is in the kernel.
        """
        return getattr(self._kernel, name)

    def rules(self) -> set[Rule]:
        """
        See L{IRoutingKernel.rules}.
        """
        return set()

    def routes(self) -> set[Route]:
        """
        See L{IRoutingKernel.routes}.
        """
        return set()

    def proxies(self) -> set[Proxy]:
        """
        See L{IRoutingKernel.proxies}.
        """
        return set()

    def switch(self, interface: str, name: str) -> str | None:
        """
        See L{IRoutingKernel.switch}.
        """
        before: str | None = self._kernel.switch(interface, name)
        return self._switches.get(Sysctl(interface, name, "").path, before)

    def setSwitch(self, sysctl: Sysctl) -> None:
        """
        See L{IRoutingKernel.setSwitch}.
        """
        self._switches[sysctl.path] = sysctl.value
        self.done.append(sysctl)

    def _add(self, entry: Entry) -> None:
        """
        Remember what is added.
        """
        self.done.append(entry)

    addRule = addRoute = addProxy = _add

    def _delete(self, entry: Entry) -> None:
        """
        Refuse: nothing of ours is seen, so there is nothing to delete.
        """
        raise AssertionError(f"deleted: {entry}")

    deleteRule = deleteRoute = deleteProxy = _delete

    def replaceRoute(self, old: Route, new: Route) -> None:
        """
        Refuse, too.
        """
        self._delete(old)


class RehearsedRecord(SwitchRecord):
    """
    What an earlier run wrote down is read, and nothing is written.
    """

    def __init__(self, directory: str, interface: str) -> None:
        super().__init__(directory, interface)
        self._served = interface

    def read(self, index: int | None) -> list[Changed]:
        """
        See L{SwitchRecord.read}; but for what is left of other interfaces, which will be put back.
        """
        return [one for one in super().read(index) if one.sysctl.interface == self._served]

    def renamed(self, names: Mapping[int, str]) -> list[Changed]:
        """
        See L{SwitchRecord.renamed}: nothing, for all of it will be put back.
        """
        return []

    def write(self, changed: list[Changed], index: int) -> None:
        """
        Write nothing.
        """

"""
Switches of the kernel that are changed while prefix64 runs, and given back at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.logger import Logger

from prefix64.errors import Prefix64Error
from prefix64.routing.entries import Sysctl
from prefix64.routing.kernel_interface import IRoutingKernel
from prefix64.routing.plan import PROXY_SWITCHES, proxySysctls
from prefix64.routing.restraint import Restraint
from prefix64.routing.switch_record import Changed, SwitchRecord

_MEANWHILE = "for this moment: else its routes of router advertisements would go too"

_log = Logger("prefix64.routing")


class BorrowedSwitches:
    """
    What the kernel's neighbor proxy needs, on one interface.

    Where an interface begins to forward, the kernel drops the default routes that it learned from
    router advertisements, on B{all} interfaces whose C{accept_ra} is not 2. So those of the others
    are 2 for the moment of the change.

    @ivar changed: what was changed, in order.
    """

    def __init__(self, kernel: IRoutingKernel, interface: str, record: SwitchRecord) -> None:
        self._kernel = kernel
        self._interface = interface
        self._record = record
        self._index = 0
        self._restraint = Restraint()
        self.changed: list[Changed] = []

    def plan(self, index: int | None) -> tuple[Sysctl, ...]:
        """
        What is to be set, as if an earlier run had left nothing.

        @param index: of the interface.
        """
        left = {c.sysctl.name: c for c in self._leftover(index) if self._isMine(c)}
        found = {name: self._kernel.switch(self._interface, name) for name in PROXY_SWITCHES}
        for name, change in left.items():
            if found.get(name) == change.sysctl.value:
                found[name] = change.before
        return proxySysctls(self._interface, {k: v for k, v in found.items() if v is not None})

    def borrow(self, index: int) -> None:
        """
        Set what is to be set. What it was is written down before.

        @param index: of the interface that there is now.
        @raise Prefix64Error: the kernel refused, or it cannot be written down; everything is as it
            was.
        """
        wanted, left = self.plan(index), self._leftover(index)
        self._index = index
        self._putBack([change for change in left if not self._isMine(change)])
        before = {c.sysctl.path: c.before for c in left if self._isMine(c) and self._stands(c)}
        self.changed = [
            Changed(one, before.get(one.path) or self._kernel.switch(one.interface, one.name) or "")
            for one in wanted
        ]
        try:
            self._set(wanted)
        except Prefix64Error:
            self.giveBack()
            raise

    def _set(self, sysctls: Sequence[Sysctl]) -> None:
        """
        Set switches, and keep other interfaces from harm meanwhile.

        @raise Prefix64Error: the kernel refused, or it cannot be written down.
        """
        others = self._others(sysctls)
        self._record.write([*others, *self.changed], self._index)
        try:
            for sysctl in (*(change.sysctl for change in others), *sysctls):
                self._kernel.setSwitch(sysctl)
        finally:
            self._putBack(others)
        self._record.write(self.changed, self._index)

    def _leftover(self, index: int | None) -> list[Changed]:
        """
        What an earlier run changed and did not put back.
        """
        return self._record.read(index)

    def _isMine(self, change: Changed) -> bool:
        """
        Tell whether a switch is one of the served interface.
        """
        return change.sysctl.interface == self._interface

    def _stands(self, change: Changed) -> bool:
        """
        Tell whether a switch is still what it was set to: else somebody has decided otherwise.
        """
        sysctl = change.sysctl
        return self._kernel.switch(sysctl.interface, sysctl.name) == sysctl.value

    def _others(self, wanted: Iterable[Sysctl]) -> list[Changed]:
        """
        What is to be changed on other interfaces for the moment in which this one begins to
        forward.
        """
        if not any(sysctl.name == "forwarding" for sysctl in wanted):
            return []
        return [
            Changed(Sysctl(name, "accept_ra", "2", _MEANWHILE), "1")
            for name in self._kernel.switchedInterfaces()
            if name != self._interface and self._kernel.switch(name, "accept_ra") == "1"
        ]

    def reread(self, now: float) -> tuple[list[str], list[str]]:
        """
        See whether somebody has changed what was set, and set it again, but for what was set again
        already not long ago.

        @param now: seconds, of any monotonic clock.
        @return: what is set again, and what is now left alone, as C{sysctl} would call it.
        @raise Prefix64Error: the kernel refused.
        """
        gone = [change.sysctl for change in self.changed if not self._stands(change)]
        again, left = self._restraint.judge(gone, now)
        if again:
            self._set([one for one in gone if one not in self._restraint.abandoned])
        return again, left

    def giveBack(self) -> None:
        """
        Put back what was changed, unless somebody else has changed it since. May be called twice.
        What the kernel refuses is logged, and stays written down.
        """
        left = self._putBack(self.changed)
        if self.changed:
            try:
                self._record.write(left, self._index)
            except Prefix64Error as error:
                _log.error("{error}", error=error)
        self.changed = []

    def restore(self, index: int) -> None:
        """
        Put back what an earlier run changed and left.

        @param index: of the interface that there is now.
        """
        self.changed, self._index = self._leftover(index), index
        self.giveBack()

    def follow(self, index: int | None) -> None:
        """
        See whether the interface is another one now: with it its switches came and went.

        @param index: of the interface that there is now; L{None} for none.
        @raise Prefix64Error: the kernel refused.
        """
        if index != self._index:
            self.changed, self._index = [], index or 0
            if index is not None:
                self.borrow(index)

    def _putBack(self, changed: list[Changed]) -> list[Changed]:
        """
        Put switches back, the last first.

        @return: those that the kernel refused to put back.
        """
        refused: list[Changed] = []
        for change in reversed(changed):
            if not self._stands(change):
                continue
            try:
                self._kernel.setSwitch(change.undone)
            except Prefix64Error as error:
                refused.insert(0, change)
                _log.error("not undone: {error}", error=error)
        return refused

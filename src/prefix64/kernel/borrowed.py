"""
Switches of the kernel that are changed while prefix64 runs, and given back at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.logger import Logger

from prefix64.errors import Prefix64Error
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.switch_record import Changed, SwitchRecord
from prefix64.routing.entries import Sysctl
from prefix64.routing.plan import PROXY_SWITCHES, proxySysctls
from prefix64.routing.restraint import Restraint

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
        self._owed: list[Changed] = []
        self._written: list[Changed] | None = None
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
        self._index, self._written = index, None
        self._owed = self._putBack([change for change in left if not self._isMine(change)])
        before = {c.sysctl.path: c.before for c in left if self._isMine(c) and self._stands(c)}
        self.changed = [
            Changed(one, before.get(one.path) or self._kernel.switch(one.interface, one.name) or "")
            for one in wanted
        ]
        try:
            self._set(wanted)
        except Prefix64Error:
            self.giveBack()
            self._index = 0  # nothing is borrowed, so it is to be tried again
            raise

    def _set(self, sysctls: Sequence[Sysctl]) -> None:
        """
        Set switches, and keep other interfaces from harm meanwhile.

        @raise Prefix64Error: the kernel refused, or it cannot be written down.
        """
        others = self._others(sysctls)
        self._owed = [*self._owed, *others]
        self._writeDown([*self._owed, *self.changed])
        try:
            for change in others:
                self._setOther(change.sysctl)
            for sysctl in sysctls:
                self._kernel.setSwitch(sysctl)
        finally:
            self._owed = self._putBack(self._owed)
        self._writeDown([*self._owed, *self.changed])

    def _setOther(self, sysctl: Sysctl) -> None:
        """
        Set a switch of another interface, unless that one is gone meanwhile.

        @raise Prefix64Error: the kernel refused.
        """
        try:
            self._kernel.setSwitch(sysctl)
        except Prefix64Error:
            if self._kernel.switch(sysctl.interface, sysctl.name) is not None:
                raise

    def _writeDown(self, changed: list[Changed]) -> None:
        """
        Write down what is to be put back, if it is something else than before.

        @raise StateError: it cannot be written down.
        """
        if changed != self._written:
            self._record.write(changed, self._index)
            self._written = changed

    def _leftover(self, index: int | None) -> list[Changed]:
        """
        What an earlier run changed and did not put back.
        """
        return [*self._record.renamed(self._kernel.names()), *self._record.read(index)]

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
        if self._switched(self._index) is None:
            return [], []
        gone = [change.sysctl for change in self.changed if not self._stands(change)]
        again, left = self._restraint.judge(gone, now)
        if again:
            self._set([one for one in gone if one not in self._restraint.abandoned])
        return again, left

    def differ(self, index: int | None) -> bool:
        """
        Tell whether somebody has changed what was set, but for what is left alone; or whether the
        switches came or went.

        @param index: of the interface that there is now; L{None} for none.
        """
        abandoned = self._restraint.abandoned
        gone = (c for c in self.changed if c.sysctl not in abandoned and not self._stands(c))
        return (self._switched(index) or 0) != self._index or any(gone)

    def _switched(self, index: int | None) -> int | None:
        """
        The index of the interface, if IPv6 is there and with it the switches: they go where the MTU
        is below 1280 (RFC 8200 5), and others come when it is no longer.
        """
        return index if self._kernel.switch(self._interface, "forwarding") is not None else None

    def giveBack(self) -> None:
        """
        Put back what was changed, unless somebody else has changed it since. May be called twice.
        What the kernel refuses is logged, and stays written down.
        """
        borrowed = [*self._owed, *self.changed]
        if borrowed:
            self._conclude(self._putBack(borrowed))
        self._owed, self.changed = [], []

    def _conclude(self, left: list[Changed]) -> None:
        """
        Write down what could not be put back; and that is all there is.
        """
        try:
            self._record.write(left, self._index)
        except Prefix64Error as error:
            _log.error("{error}", error=error)
        self._written = None

    def restore(self, index: int) -> None:
        """
        Put back what an earlier run changed and left. Its record goes, also where it is of an
        interface or of a boot that is no more.

        @param index: of the interface that there is now.
        """
        self._index = index
        self._conclude(self._putBack(self._leftover(index)))

    def follow(self, index: int | None) -> str | None:
        """
        See whether the interface is another one now, or has lost IPv6: with it its switches came
        and went. Where it is only called otherwise, they are put back.

        @param index: of the interface that there is now; L{None} for none.
        @return: what the one that there was is called now, if that is something else.
        @raise Prefix64Error: the kernel refused.
        """
        index = self._switched(index)
        if (index or 0) == self._index:
            return None
        name = self._kernel.names().get(self._index)
        if name == self._interface:
            name = None
        if name is not None:
            self._putBack([change.on(name) for change in self.changed])
        self._conclude(self._owed)
        self.changed, self._index = [], 0
        if index is not None:
            self.borrow(index)
        return name

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

"""
All that is in the kernel on behalf of one interface: what tables have, and switches; and what is
said when somebody changes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from twisted.logger import Logger

from prefix64.kernel.borrowed import BorrowedSwitches
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.switch_record import SwitchRecord
from prefix64.kernel.tables import RoutingTables
from prefix64.routing.entries import LOOPBACK, Numbers, Proxy, Route
from prefix64.routing.plan import RoutingPlan

_log = Logger("prefix64.routing")


class Installation:
    """
    Brings plans into the kernel, and keeps them there.
    """

    def __init__(
        self,
        kernel: IRoutingKernel,
        interface: str,
        numbers: Numbers,
        record: SwitchRecord,
        usesProxies: bool,
    ) -> None:
        """
        @param interface: the name of the interface that is served.
        @param record: where it is written down what switches were.
        @param usesProxies: whether the kernel is to answer solicitations, which needs switches.
        """
        self._tables = RoutingTables(kernel, interface, numbers)
        self._switches = BorrowedSwitches(kernel, interface, record)
        self._usesProxies = usesProxies
        self._downs: Counter[str] = Counter()

    def begin(self, plan: RoutingPlan, index: int, marksAreOthers: bool) -> None:
        """
        Bring the first plan into the kernel. What an earlier run left is taken over or undone.

        @param index: of the interface.
        @param marksAreOthers: whether another instance that runs has the rule for a firewall mark.
        @raise Prefix64Error: the kernel refused.
        """
        self._tables.apply(plan, marksAreOthers)
        if self._usesProxies:
            self._switches.borrow(index)
        else:
            self._switches.restore(index)

    def takeOver(self, plan: RoutingPlan) -> None:
        """
        Find what an earlier run left of a plan that has something new.
        """
        self._tables.takeOver(plan)

    def update(self, plan: RoutingPlan, index: int | None) -> None:
        """
        Change what is there into what a plan wants.

        @param index: of the interface that there is now; L{None} for none.
        @raise Prefix64Error: the kernel refused.
        """
        if self._usesProxies:
            otherName = self._switches.follow(index)
            if otherName is not None:
                self._tables.renamed(otherName)
        self._tables.update(plan)

    def differs(self, plan: RoutingPlan, index: int | None) -> bool:
        """
        Look whether something is otherwise of which the kernel does not tell: neighbor proxies and
        switches. It is cheap, however many routes and rules the host has.

        @param plan: what is wanted now.
        @param index: of the interface that there is now; L{None} for none.
        @raise Prefix64Error: the kernel's tables cannot be read.
        """
        return self._switches.differ(index) or self._tables.proxiesDiffer(plan)

    def mayHaveLost(self, downs: Counter[str]) -> bool:
        """
        Tell whether the kernel may have deleted something without an event.

        @param downs: how many times interfaces went down, by their names.
        """
        return self._usesProxies and downs != self._downs

    def reread(self, now: float, downs: Counter[str], isThere: bool) -> bool:
        """
        See what somebody deleted or set otherwise, and say what becomes of it: it is put back once,
        for whoever does it again means it. Switches are set again at once, the rest by the next
        L{update}.

        @param now: seconds, of any monotonic clock.
        @param downs: how many times interfaces went down, by their names: what the kernel itself
            deleted then counts for nothing.
        @param isThere: whether the interface is.
        @return: whether something is to be put back.
        @raise Prefix64Error: the kernel's tables cannot be read, or it refused.
        """
        counted = downs.copy()
        since = counted - self._downs

        def excused(one: Hashable) -> bool:
            flushed = isinstance(one, Route) and since[LOOPBACK]
            return bool(flushed or (isinstance(one, Proxy) and since[one.interface]))

        missing, left = self._tables.reread(now, excused)
        self._downs = counted
        _sayMissing(missing, left)
        if self._usesProxies and isThere:
            _saySwitched(*self._switches.reread(now))
        return bool(missing)

    def undo(self) -> None:
        """
        Take everything out, and put switches back. May be called twice.
        """
        self._switches.giveBack()
        self._tables.undo()


def _sayMissing(back: list[str], left: list[str]) -> None:
    """
    Say what somebody deleted, and what becomes of it.
    """
    if back:
        _log.warn("somebody deleted {what}: putting it back", what=" and ".join(back))
    if left:
        _log.error(
            "somebody deletes {what} again and again: it is left alone until prefix64 starts "
            "anew; find out who does it (ip monitor rule route)",
            what=" and ".join(left),
        )


def _saySwitched(back: list[str], left: list[str]) -> None:
    """
    Say which switches somebody has set otherwise, and what becomes of them.
    """
    if back:
        _log.warn("somebody changed sysctls: setting {what} again", what=" and ".join(back))
    if left:
        _log.error(
            "somebody changes sysctls again and again: {what} is left alone until prefix64 "
            "starts anew, and what --ndp kernel serves may not be reached",
            what=" and ".join(left),
        )

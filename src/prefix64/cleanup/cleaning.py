"""
What crashed runs left in the kernel, found and removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from prefix64.edges import Edges
from prefix64.errors import Prefix64Error
from prefix64.instance_lock import MARKED, markLock
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.switch_record import Changed, SwitchRecord, recordedInterfaces
from prefix64.routing.commands import Command, deleting
from prefix64.routing.entries import Numbers, Proxy, Route, Rule, Sysctl
from prefix64.routing.leftovers import Leftovers, Running, isOfInstance, leftovers, otherNumbers

_E = TypeVar("_E", Route, Rule, Proxy, Sysctl)


@dataclass(frozen=True)
class Question:
    """
    What is to be cleaned.

    @ivar interface: the only one that is asked for; L{None} for every one.
    @ivar stateDirectory: where it is written down what switches were.
    @ivar rehearsed: whether nothing is to be changed.
    """

    numbers: Numbers
    interface: str | None
    stateDirectory: str
    rehearsed: bool


@dataclass
class Outcome:
    """
    What became of it.

    @ivar removed: the commands that would have done what was done, in order.
    @ivar refused: the errors of what the kernel refused.
    @ivar left: what runs and was left alone, with who it is, in words.
    @ivar isServed: whether the only interface that was asked for is served.
    @ivar isUnknown: whether there is none of its name, and nothing names it.
    @ivar others: the numbers that were not asked for under which something seems to be left.
    """

    removed: list[Command] = field(default_factory=list)
    refused: list[Prefix64Error] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    isServed: bool = False
    isUnknown: bool = False
    others: list[Numbers] = field(default_factory=list)


class Cleaning:
    """
    One cleaning.
    """

    def __init__(self, question: Question, edges: Edges | None = None) -> None:
        """
        @param edges: what is outside; the real thing if left out.
        """
        self._question = question
        self._edges = edges or Edges()
        self._outcome = Outcome()
        self._held: dict[str, str] = {}

    def clean(self) -> Outcome:
        """
        Find what is left, and remove it, in the order in which an instance would at its end. No
        instance starts meanwhile, and the locks of the interfaces are held.

        @raise Prefix64Error: an instance does not come to the end of its start, or the kernel's
            tables cannot be read; nothing has been changed.
        """
        with contextlib.ExitStack() as stack:
            if not self._question.rehearsed:
                stack.enter_context(self._edges.turn())
            kernel = self._edges.kernel()
            stack.callback(kernel.close)
            self._resolve(kernel)
            found = self._look(kernel)
            records = [name for name in self._recorded() if name not in self._held]
            if not self._question.rehearsed:
                for name, *refusal in self._toHold(found, records):
                    stack.callback(self._edges.lock(name, *refusal).release)
            for name in records:
                self._restore(kernel, name)
            self._delete(kernel, found)
        return self._outcome

    def _resolve(self, kernel: IRoutingKernel) -> None:
        """
        Find the interface's own name: it may have been called by another one of its names.
        """
        only = self._question.interface
        link = None if only is None else kernel.link(only)
        if link is not None:
            self._question = dataclasses.replace(self._question, interface=link.name)

    @property
    def _markLock(self) -> str:
        """The name of the lock of whoever leads a firewall mark to the table."""
        return markLock(self._question.numbers.table)

    def _isAsked(self, interface: str) -> bool:
        """
        Tell whether an interface is to be cleaned.
        """
        return self._question.interface in (None, interface)

    def _recorded(self) -> list[str]:
        """
        The interfaces that are to be cleaned and of which there is a record.
        """
        return list(filter(self._isAsked, recordedInterfaces(self._question.stateDirectory)))

    def _look(self, kernel: IRoutingKernel) -> Leftovers:
        """
        Find what is left in the kernel's tables, and who runs.
        """
        numbers, only = self._question.numbers, self._question.interface
        rules, proxies = kernel.rules(), kernel.proxies()
        named = _interfaces(rules, proxies) | {*kernel.linkNames(), *self._recorded()}
        self._outcome.isUnknown = only is not None and only not in named
        named |= {only} if only else set()
        self._held = {name: by for name in sorted(named) if (by := self._edges.holder(name))}
        self._outcome.isServed = only in self._held
        tables = {rule.table for rule in rules} | {numbers.table}
        marks = {one: by for one in tables if (by := self._edges.holder(markLock(one)))}
        running = Running(self._held.keys(), marks.keys())
        self._outcome.others = otherNumbers(rules, numbers, running)
        mine = [rule for rule in rules if isOfInstance(rule, numbers)]
        touched = {only, *_interfaces(mine, proxies), *self._recorded()}
        self._outcome.left = {
            name: by for name, by in self._held.items() if name in touched and self._isAsked(name)
        }
        if numbers.table in marks:
            self._outcome.left[self._markLock] = marks[numbers.table]
        return leftovers(rules, kernel.routes(), proxies, numbers, running, only)

    def _toHold(self, found: Leftovers, records: Iterable[str]) -> list[tuple[str, ...]]:
        """
        The names of the locks that are held while what was found is removed; some with what is said
        when somebody else has it.
        """
        names = _interfaces(found.rules, found.proxies) - self._held.keys()
        marks = any(not rule.interface for rule in found.rules)
        locks: list[tuple[str, ...]] = [(name,) for name in sorted(names | {*records})]
        return [*locks, (self._markLock, MARKED)] if marks else locks

    def _restore(self, kernel: IRoutingKernel, interface: str) -> None:
        """
        Put back what was changed of switches, unless somebody has changed it since; and forget it.
        What was changed on an interface that another instance serves now stays, and stays known.
        """
        link = kernel.link(interface)
        index = None if link is None else link.index
        record = SwitchRecord(self._question.stateDirectory, interface)
        renamed = record.renamed(kernel.names())
        changed = [*renamed, *record.read(index)]
        if record.isStale(index) and not renamed:
            self._outcome.removed.append(Command(("rm", record.path), "switches that are gone"))
        elif not changed:
            return
        kept = self._putBack(kernel, changed)
        if not self._question.rehearsed:
            self._attempt(partial(record.write, kept, index or 0))

    def _putBack(self, kernel: IRoutingKernel, changed: list[Changed]) -> list[Changed]:
        """
        Put switches back, the last first.

        @return: those that stay as they are.
        """
        kept: list[Changed] = []
        for change in reversed(changed):
            sysctl, undone = change.sysctl, change.undone
            if kernel.switch(sysctl.interface, sysctl.name) != sysctl.value:
                continue
            if sysctl.interface in self._held or not self._undo(undone, kernel.setSwitch):
                kept.insert(0, change)
        return kept

    def _delete(self, kernel: IRoutingKernel, found: Leftovers) -> None:
        """
        Delete what was found in the kernel's tables.
        """
        for proxy in found.proxies:
            self._undo(proxy, kernel.deleteProxy)
        for route in found.routes:
            self._undo(route, kernel.deleteRoute)
        for rule in found.rules:
            self._undo(rule, kernel.deleteRule)

    def _undo(self, entry: _E, delete: Callable[[_E], None]) -> bool:
        """
        Delete something or set a switch, and note it.

        @return: whether that was done, or would be.
        """
        done = self._question.rehearsed or self._attempt(partial(delete, entry))
        if done:
            self._outcome.removed.append(deleting(entry))
        return done

    def _attempt(self, change: Callable[[], None]) -> bool:
        """
        Change something. What is refused is noted, and does not keep the rest.

        @return: whether that was done.
        """
        try:
            change()
        except Prefix64Error as error:
            self._outcome.refused.append(error)
            return False
        return True


def _interfaces(rules: Iterable[Rule], proxies: Iterable[Proxy]) -> set[str]:
    """
    The names of the interfaces that rules and proxies are for.
    """
    names = {rule.interface for rule in rules} | {proxy.interface for proxy in proxies}
    return names - {""}

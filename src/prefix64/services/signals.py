"""
Signals that end the process, so that what is in the kernel is undone whenever they come.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from prefix64.errors import InterruptedStart

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _isMainThread() -> bool:
    """
    Python lets only the main thread decide about signals.
    """
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """
    Before the reactor runs: let a signal that would end the process at once raise
    L{InterruptedStart} instead, so that what was done until then is undone. Where it comes while a
    line is being logged, the log takes the exception for its own: then it is raised at the end.
    """
    came: list[InterruptedStart] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(InterruptedStart(f"{signal.Signals(number).name} came during the start"))
        raise came[0]

    if not _isMainThread():
        yield
        return
    ignored = [number for number in ENDING if signal.getsignal(number) is signal.SIG_IGN]
    before = {n: signal.signal(n, interrupt) for n in ENDING if n not in ignored}
    try:
        yield
        if came:
            raise came[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """
    Let no signal that would end the process come in between: what is being undone is undone.
    """
    before = {n: signal.signal(n, signal.SIG_IGN) for n in ENDING} if _isMainThread() else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class HeldSignals:
    """
    Signals that end the process, held back by the kernel from the end of the start until the
    reactor has its own handlers: in between they would end the process at once.
    """

    def __init__(self) -> None:
        self._held: set[signal.Signals] = set()

    def hold(self) -> None:
        """
        Begin.
        """
        if _isMainThread():
            before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            self._held = set(ENDING) - before

    def release(self) -> None:
        """
        End; what has come meanwhile comes now. May be called twice.
        """
        held, self._held = self._held, set()
        if held:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


class Hangup:
    """
    SIGHUP, the end of the terminal or of the ssh session, which would end the process at once.
    """

    def __init__(self, happened: Callable[[], None], reactor: Any) -> None:
        """
        @param happened: called in the reactor.
        """
        self._happened = happened
        self._reactor = reactor
        self._before: Any = None

    def catch(self) -> None:
        """
        Begin, unless the signal is ignored (nohup(1)) or somebody else has a use for it.
        """
        if _isMainThread() and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            self._before = signal.signal(
                signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._happened)
            )

    def release(self) -> None:
        """
        End. May be called twice.
        """
        if self._before is not None:
            signal.signal(signal.SIGHUP, self._before)
            self._before = None

"""
Services that start one after the other, and stop in reverse, each when the next is done.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.logger import Logger

_log = Logger("prefix64")


class InOrder(MultiService):
    """
    Starts its services in their order. If one fails, what had started is undone by L{stopService},
    which a service must stand before it has started, and twice.
    """

    @inlineCallbacks
    def stopService(self) -> Any:
        """
        Stop in reverse order, each when the one before has stopped.
        """
        self.running = 0
        for service in reversed(list(self)):
            yield stopped(service)


def stopped(service: IService) -> Deferred[Any]:
    """
    Stop a service. One that fails to stop does not keep the others from it.

    @return: fires when it has stopped, or failed to.
    """
    stopping: Deferred[Any] = maybeDeferred(service.stopService)
    return stopping.addErrback(
        lambda failure: _log.failure("{name} did not stop", failure, name=service.name)
    )

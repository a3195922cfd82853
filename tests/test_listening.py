"""
What the kernel says of connections that are closed on our side.
"""

from __future__ import annotations

import contextlib
import socket
import time

from twisted.trial.unittest import SynchronousTestCase

from prefix64.web.listening import isDelivering
from tests.support import skipBecause


class DeliveringTests(SynchronousTestCase):
    """
    L{isDelivering}, on a connection of the loopback interface.
    """

    def setUp(self) -> None:
        with socket.socket(socket.AF_INET6) as listener:
            try:
                listener.bind(("::1", 0))
            except OSError:
                skipBecause("lo has no IPv6")
            listener.listen()
            self.port = listener.getsockname()[1]
            self.visitor = socket.create_connection(("::1", self.port))
            self.addCleanup(self.visitor.close)
            self.server, _ = listener.accept()
            self.addCleanup(self.server.close)

    def fill(self) -> None:
        """
        Send more than the visitor takes.
        """
        self.server.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.server.send(bytes(65536))

    def assertDelivered(self) -> None:
        """
        It is over, now or in a moment.
        """
        end = time.monotonic() + 5
        while isDelivering([self.port]) and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse(isDelivering([self.port]))

    def test_anOpenConnectionDeliversNothing(self) -> None:
        """
        Whoever has it open knows what it does.
        """
        self.assertFalse(isDelivering([self.port]))
        self.fill()
        self.assertFalse(isDelivering([self.port]))

    def test_oneThatIsClosedDeliversUntilAllOfItIsTaken(self) -> None:
        """
        And that matters to its own port only.
        """
        self.fill()
        self.server.close()
        self.assertTrue(isDelivering([1, self.port]))
        self.assertFalse(isDelivering([]))
        self.assertFalse(isDelivering([self.visitor.getsockname()[1]]))
        while self.visitor.recv(1 << 20):
            pass
        self.assertDelivered()

    def test_oneWhoseVisitorIsGoneDeliversNothing(self) -> None:
        """
        It was reset.
        """
        self.fill()
        self.server.close()
        self.visitor.close()
        self.assertDelivered()

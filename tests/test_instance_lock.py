"""
One instance for each interface.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from prefix64 import instance_lock
from prefix64.errors import InterfaceError
from prefix64.instance_lock import InstanceLock, holder, oneStartAtATime
from prefix64.testing import MemoryLock


class LockTests(SynchronousTestCase):
    """
    The real lock, and the one in memory: the same behaviour.
    """

    makers = (InstanceLock, MemoryLock)
    holders = ((InstanceLock, holder), (MemoryLock, MemoryLock.holder))

    def setUp(self) -> None:
        # No interface has this name: the process's number keeps parallel runs apart.
        self.name = f"none-{os.getpid()}"

    def lock(self, make: type[InstanceLock] | type[MemoryLock], name: str) -> object:
        lock = make(name)
        self.addCleanup(lock.release)
        return lock

    def test_aSecondOneIsRefusedInOneLine(self) -> None:
        """
        The interface is named.
        """
        for make in self.makers:
            self.lock(make, self.name)
            error = str(self.assertRaises(InterfaceError, make, self.name))
            self.assertIn(f"interface {self.name!r} is served already", error)
            self.assertIn("stop that first", error)
            self.assertNotIn("\n", error)

    def test_theHolderIsNamed(self) -> None:
        """
        Its process and user, as the kernel says (SO_PEERCRED, unix(7)).
        """
        self.lock(InstanceLock, self.name)
        error = str(self.assertRaises(InterfaceError, InstanceLock, self.name))
        self.assertEqual(
            error,
            f"interface {self.name!r} is served already "
            f"by process {os.getpid()} (user {os.geteuid()}): stop that first",
        )
        self.assertEqual(holder(self.name), f"by process {os.getpid()} (user {os.geteuid()})")

    def test_theHolderIsNamedEachTime(self) -> None:
        """
        Whoever looks takes a place in its queue: there are many.
        """
        self.lock(InstanceLock, self.name)
        for _ in range(300):
            self.assertIn(f"by process {os.getpid()} ", str(holder(self.name)))
        error = str(self.assertRaises(InterfaceError, InstanceLock, self.name))
        self.assertIn(f"by process {os.getpid()} ", error)

    def test_whetherItIsHeldCanBeAsked(self) -> None:
        """
        Asking takes nothing, and nobody holds what was let go.
        """
        for make, ask in self.holders:
            self.assertIsNone(ask(self.name))
            lock = make(self.name)
            self.assertTrue(str(ask(self.name)).startswith("by "))
            self.assertIsNone(ask(self.name + "0"))
            lock.release()
            self.assertIsNone(ask(self.name))
            self.lock(make, self.name)

    def test_anotherInterfaceHasALockOfItsOwn(self) -> None:
        """
        Also one whose name begins with the same letters.
        """
        for make in self.makers:
            self.lock(make, self.name)
            self.lock(make, self.name + "0")

    def test_afterItsReleaseItIsFree(self) -> None:
        """
        Releasing twice is no error, and does not take it from the next one.
        """
        for make in self.makers:
            first = make(self.name)
            first.release()
            self.lock(make, self.name)
            first.release()
            self.assertRaises(InterfaceError, make, self.name)

    def test_itEndsWithTheProcess(self) -> None:
        """
        However that ends: nothing is left in a file system.
        """
        child = os.fork()
        if child == 0:
            try:
                InstanceLock(self.name)
            finally:
                os.kill(os.getpid(), 9)
        os.waitpid(child, 0)
        self.assertIsNone(holder(self.name))
        self.lock(InstanceLock, self.name)


class QueueTests(SynchronousTestCase):
    """
    Anybody on the host can connect to the lock's socket.
    """

    def test_fullQueueIsAHolderToo(self) -> None:
        """
        A lock whose socket takes no more connections is held, not free.
        """
        self.patch(instance_lock, "_BACKLOG", 0)
        name = f"none-{os.getpid()}"
        lock = InstanceLock(name)
        self.addCleanup(lock.release)
        for _ in range(5):
            self.assertIsNotNone(holder(name))


class TurnTests(SynchronousTestCase):
    """
    Instances start one after the other.
    """

    def test_secondStartWaitsAndThenGivesUp(self) -> None:
        """
        While one starts, another one waits; if that does not end, one line says so.
        """
        self.patch(instance_lock, "_MOST_WAIT", 0.0)
        self.patch(instance_lock, "_name", lambda interface: f"\0prefix64-test/{os.getpid()}")
        with oneStartAtATime():
            error = self.assertRaises(InterfaceError, oneStartAtATime().__enter__)
        self.assertEqual(str(error), "another prefix64 is starting: try again")
        with oneStartAtATime():
            pass

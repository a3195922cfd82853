"""
Fakes of the edges, for tests of prefix64 and of what is built on it. Each passes the tests that the
real thing passes.
"""

from prefix64.testing.guard import MemoryGuard
from prefix64.testing.kernel import LOOPBACK_HARDWARE, MemoryKernel, MemoryMonitor
from prefix64.testing.link import MemoryGroups, MemoryLink
from prefix64.testing.process import MemoryLock, unlistened

__all__ = [
    "LOOPBACK_HARDWARE",
    "MemoryGroups",
    "MemoryGuard",
    "MemoryKernel",
    "MemoryLink",
    "MemoryLock",
    "MemoryMonitor",
    "unlistened",
]

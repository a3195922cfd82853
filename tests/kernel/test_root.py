"""
Whether the tests of this package can run. Where they cannot, this one says so for all of them.
"""

from __future__ import annotations

from tests.kernel.lab import KernelTestCase


class RootTests(KernelTestCase):
    """
    Who runs the tests, and with what.
    """

    def test_namespaceCanBeMade(self) -> None:
        """
        A network namespace can be made, and has nothing of ours.
        """
        self.assertNotIn("proto 64", self.makeNamespace().dump())

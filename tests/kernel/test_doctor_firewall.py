"""
What the doctor says of a ruleset, and what the kernel really does with a connection.
"""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from prefix64.doctor.firewall.reading import readFirewall
from tests.kernel.lab import SharedLabTestCase, suiteOf
from tests.rulesets import CASES, Case, Fate
from tests.test_doctor_firewall import CONNECTION, fateOf

ADDRESS = "2001:db8::cafe"
_COMES, _NEVER_COMES = 5.0, 0.3
"""Seconds to wait for a connection that is to come, and for one that is not."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class AgreementTests(SharedLabTestCase):
    """
    The evaluator and the kernel say the same of each ruleset.
    """

    def load(self, text: str) -> None:
        """
        Replace the server's rules; the guard, which is owned, stays.
        """
        subprocess.run(
            self.lab.server.command("nft", "-f", "-"),
            input=f"flush ruleset\n{text}\n",
            text=True,
            check=True,
            timeout=20,
        )

    def comesIn(self, seconds: float) -> bool:
        """
        Tell whether the router's connection comes in.
        """
        with self.lab.router.entered():
            connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        with connection:
            connection.settimeout(seconds)
            try:
                connection.connect((ADDRESS, 80))
            except OSError:
                return False
            return True

    def said(self) -> Fate:
        """
        What the doctor says.
        """
        with self.lab.server.entered():
            firewall = readFirewall()
        assert firewall.ruleset is not None, firewall.why
        return fateOf(firewall.ruleset.passage(CONNECTION))

    def compare(self, case: Case) -> None:
        """
        Load one ruleset and see.
        """
        self.load(case.text)
        self.assertEqual(self.said(), case.fate, case.name)
        if case.really is not None:
            seconds = _COMES if case.really else _NEVER_COMES
            self.assertEqual(self.comesIn(seconds), case.really, case.name)

    def test_nothingButTheGuard(self) -> None:
        """
        nft prints JSON that ends in the middle where a table has an owner, and none comes after it.
        """
        self.load("")
        self.assertEqual(self.said(), Fate.IN)

    def test_everyCase(self) -> None:
        """
        What is said to come in does, what is said to be dropped is.
        """
        self.addCleanup(self.load, "")
        for case in CASES:
            self.assertIn(case.really, {Fate.IN: (True,), Fate.DROPPED: (False,)}.get(
                case.fate, (True, False, None)), case.name)  # fmt: skip
            self.compare(case)

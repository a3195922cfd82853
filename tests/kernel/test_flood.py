"""
Much at once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.kernel.lab import Lab, SharedLabTestCase, suiteOf
from tests.kernel.namespaces import PREFIX
from tests.kernel.twistd import SOURCE, environment

RATE = 150_000
"""Solicitations a second."""

FLOOD_SECONDS = 5.0

ENOUGH = 0.9
"""The part of the rate that has to be reached for a test to count."""

TRIES = 4
"""How often it is tried to reach it, on a machine that has other things to do too."""

MILLION = 1_000_000

MOST_GROWTH = 8 << 20
"""Bytes of memory."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class Solicitor:
    """
    The router that asks, as a process.
    """

    def __init__(self, lab: Lab, *options: str) -> None:
        """
        Start it, and wait until it is about to ask.
        """
        command = (sys.executable, "-m", "benchmarks.solicitor", "--prefix", PREFIX, *options)
        self.process = subprocess.Popen(
            lab.router.command(*command),
            cwd=SOURCE.parent,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def begin(self) -> None:
        """
        Have it ask.
        """
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def isAsking(self) -> bool:
        """
        Tell whether it has not ended.
        """
        return self.process.poll() is None

    def result(self) -> dict[str, Any]:
        """
        What came back, once it has ended.
        """
        return dict(json.loads(self.process.communicate(timeout=120)[0]))

    def close(self) -> None:
        """
        End it, if it has not.
        """
        if self.isAsking():
            self.process.kill()
        self.process.communicate()


class FloodTestCase(SharedLabTestCase):
    """
    More solicitations than a link has hosts.
    """

    def solicitor(self, *options: str) -> Solicitor:
        """
        One that is ended with the test.
        """
        solicitor = Solicitor(self.lab, *options)
        self.addCleanup(solicitor.close)
        return solicitor

    def memory(self) -> int:
        """
        The bytes of memory that the service has.
        """
        status = Path(f"/proc/{self.service.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class RateTests(FloodTestCase):
    """
    From one router, as a scan from outside makes it ask.
    """

    def test_case70_httpStillAnswers(self) -> None:
        """
        While 150,000 solicitations a second come in, HTTP to other addresses answers within a
        second; addresses that nobody has visited before are found, too. What is lost is counted.
        """
        known = [f"2001:db8::70:{number:x}" for number in range(1, 9)]
        for _ in range(TRIES):
            for address in known:
                self.assertAnsweredOnce(self.lab.ping(address))
            flood = self.solicitor("--rate", str(RATE), "--seconds", str(FLOOD_SECONDS))
            flood.begin()
            slowest, visits, found = 0.0, 0, 0
            while flood.isAsking():
                address = known[visits % len(known)]
                began = time.monotonic()
                self.assertIn(address, self.lab.fetch(f"http://[{address}]/"))
                slowest = max(slowest, time.monotonic() - began)
                visits += 1
                found += self.isFound(f"2001:db8::71:{visits:x}:{flood.process.pid:x}")
            said = flood.result()
            if said["sent"] / said["seconds"] > ENOUGH * RATE:
                break
        else:
            self.fail(f"the router could ask only {said['sent'] / said['seconds']:.0f} times")
        self.assertLess(slowest, 1.0)
        self.assertGreater(visits, 3)
        self.assertGreater(found, 0)
        self.assertEqual(said["wrong"], 0)
        self.service.stop()
        (line,) = re.findall(r"frames: .*", self.service.log())
        advertised, lost = re.findall(r"frames: advertised (\d+).*full queue: (\d+)", line)[0]
        self.assertGreaterEqual(int(advertised) + int(lost), said["sent"])
        self.assertGreaterEqual(int(advertised), said["answered"])

    def isFound(self, address: str) -> bool:
        """
        Tell whether a visitor finds an address that the router does not know.
        """
        done = self.lab.router.run(
            *("curl", "-gsS", "--max-time", "1", f"http://[{address}]/"), check=False
        )
        return done.returncode == 0 and address in done.stdout


class SpoofedTests(FloodTestCase):
    """
    From machines that do not exist.
    """

    options = ("--rate-source", "50000")

    def test_case71_aMillionSources(self) -> None:
        """
        A million machines, half of them with an address inside the prefix, each ask for another
        address. The memory stays as it was after the first of them; who asks then is answered.
        """
        first = self.solicitor("--spoof", "50000")
        first.begin()
        self.assertEqual(first.result()["sent"], 50_000)
        before = self.memory()
        flood = self.solicitor("--spoof", str(MILLION))
        flood.begin()
        said = flood.result()
        self.assertEqual(said["sent"], MILLION)
        self.assertGreater(said["answered"], MILLION / 20)
        self.assertLess(self.memory() - before, MOST_GROWTH)
        self.assertAnsweredOnce(self.lab.ping("2001:db8::72"))
        self.assertIn("2001:db8::71", self.lab.fetch("http://[2001:db8::71]/"))

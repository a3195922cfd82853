"""
C{prefix64 lab}, as a user types it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.lab import suiteOf

SOURCE = str(Path(__file__).resolve().parents[2] / "src")
RUN = "import sys; from prefix64.cli import main; sys.exit(main())"


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def lab(*arguments: str) -> subprocess.Popen[str]:
    """
    Start the command.
    """
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "lab", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=SOURCE, PYTHONUNBUFFERED="1"),
    )


def namespaces() -> set[str]:
    """
    The names of all network namespaces.
    """
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=10)
    return {line.split()[0] for line in listed.stdout.splitlines()}


def serversOf(name: str) -> list[str]:
    """
    The processes that serve a lab of that name.
    """
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"prefix64-lab-{name}/" in command:
            found.append(process)
    return found


class LabTests(SynchronousTestCase):
    """
    The lab does what it says, and leaves nothing.
    """

    def setUp(self) -> None:
        self.name = f"test-lab-{os.getpid()}"
        self.addCleanup(lambda: lab("--remove", "--name", self.name).communicate(timeout=60))

    def assertNothingLeft(self) -> None:
        """
        No namespace, process or directory of the lab is there.
        """
        left = {name for name in namespaces() if name.startswith(self.name)}
        self.assertEqual(left, set())
        self.assertEqual(serversOf(self.name), [])
        self.assertFalse(os.path.exists(f"/run/prefix64-lab-{self.name}"))

    def eventually(self, happened: Callable[[], bool], seconds: float = 20.0) -> None:
        """
        Wait until something is so.
        """
        deadline = time.monotonic() + seconds
        while not happened():
            self.assertLess(time.monotonic(), deadline, "it did not happen in time")
            time.sleep(0.02)

    def test_tenAddressesAreFoundPingedAndFetched(self) -> None:
        """
        Each address gets a reply and a page that names it, and the trace is in tcpdump's words.
        """
        process = lab("--name", self.name)
        out, errors = process.communicate(timeout=120)
        self.assertEqual((process.returncode, errors), (0, ""), out)
        self.assertEqual(out.count("  ping   64 bytes from "), 10)
        self.assertEqual(out.count("  fetch  the page names "), 10)
        self.assertEqual(out.count("neighbor solicitation, who has "), 10)
        self.assertEqual(out.count("neighbor advertisement, tgt is "), 10)
        self.assertRegex(
            out,
            r"fe80::1 > ff02::1:ff[0-9a-f]{2}:[0-9a-f]{1,4}: "
            r"ICMP6, neighbor solicitation, who has 2001:db8:",
        )
        self.assertNothingLeft()

    def test_interruptedItRemovesWhatItMade(self) -> None:
        """
        SIGINT and SIGTERM in the middle of a run leave nothing.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            process = lab("--name", self.name, "--count", "1000")
            assert process.stdout is not None
            while "fetch" not in process.stdout.readline():
                self.assertIsNone(process.poll())
            process.send_signal(number)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130)
            self.assertNothingLeft()

    def test_interruptedWhileItIsMadeItRemovesWhatItMade(self) -> None:
        """
        SIGINT as soon as the first namespace is there leaves nothing.
        """
        process = lab("--name", self.name)
        self.eventually(lambda: f"{self.name}-router" in namespaces())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertNothingLeft()

    def test_namespacesOfOthersAreNotRemoved(self) -> None:
        """
        A namespace that no lab made stays, whatever its name is, and so does what runs in it.
        """
        name = f"{self.name}-router"
        subprocess.run(["ip", "netns", "add", name], check=True, timeout=10)
        self.addCleanup(subprocess.run, ["ip", "netns", "delete", name], timeout=10)
        sleeper = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "60"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        for arguments in (("--remove",), ()):
            process = lab(*arguments, "--name", self.name)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1)
        self.assertIn(name, namespaces())
        self.assertIsNone(sleeper.poll())

    def test_keptItStaysUntilItIsRemoved(self) -> None:
        """
        --keep leaves a lab in which addresses answer, a second one is refused, --remove ends it.
        """
        process = lab("--name", self.name, "--count", "1", "--keep")
        out, _ = process.communicate(timeout=60)
        self.assertIn(f"prefix64 lab --remove --name {self.name}", out)
        page = subprocess.run(
            [
                *("ip", "netns", "exec", f"{self.name}-router", "curl", "-gsS", "-m", "5"),
                *("-H", "Accept: text/plain", "http://[2001:db8::64:64]/"),
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )
        self.assertIn("2001:db8::64:64", page.stdout)
        second = lab("--name", self.name)
        _, errors = second.communicate(timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertRegex(errors, "^prefix64: there is a network namespace .*\n$")
        removal = lab("--remove", "--name", self.name)
        removal.communicate(timeout=60)
        self.assertEqual(removal.returncode, 0)
        self.assertNothingLeft()

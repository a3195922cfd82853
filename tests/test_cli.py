"""
The prefix64 command line, up to where it would need root.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from prefix64 import __version__
from prefix64.cli import main
from prefix64.errors import LabError
from prefix64.lab import command, namespaces
from prefix64.lab.namespaces import Namespaces
from tests.kernel.twistd import environment

_MAIN = "import sys; from prefix64.cli import main; sys.exit(main())"


def runMain(*arguments: str) -> tuple[int, str, str]:
    """
    Run the command.

    @return: its status, and what it printed to the two streams.
    """
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
    return status, out.getvalue(), errors.getvalue()


class CommandLineTests(SynchronousTestCase):
    """
    C{prefix64} and its mistakes.
    """

    def test_versionIsPrinted(self) -> None:
        """
        --version names the program and its version.
        """
        self.assertEqual(runMain("--version"), (0, f"prefix64 {__version__}\n", ""))

    def test_unknownCommandIsNamed(self) -> None:
        """
        A command that there is not ends with its name and status 2.
        """
        status, _, errors = runMain("lap")
        self.assertEqual(status, 2)
        self.assertIn("'lap'", errors)

    def test_mistakesAreOneLine(self) -> None:
        """
        Also those that argparse finds.
        """
        for arguments in ((), ("lap",), ("probe",), ("doctor", "--no"), ("lab", "--count", "x")):
            status, out, errors = runMain(*arguments)
            self.assertEqual((status, out, errors.count("\n")), (2, "", 1), arguments)
            self.assertTrue(errors.startswith("prefix64: "), errors)

    def test_outputThatCannotBeWritten(self) -> None:
        """
        A full disk is one line; that nobody reads is none. Neither is a traceback.
        """
        reading, writing = os.pipe()
        os.close(reading)
        for output, status, line in (
            (os.open("/dev/full", os.O_WRONLY), 2, "the output cannot be written: No space left"),
            (writing, 141, ""),
        ):
            for arguments in (("doctor", "--seconds", "0"), ("doctor", "--seconds", "0", "--json")):
                done = subprocess.run(
                    [sys.executable, "-c", _MAIN, *arguments],
                    stdout=output,
                    stderr=subprocess.PIPE,
                    env=environment(),
                    text=True,
                    check=False,
                )
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(line, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1 if line else 0, done.stderr)
            os.close(output)

    def test_badNameIsOneLine(self) -> None:
        """
        A name that no namespace can have is refused before anything is done.
        """
        status, out, errors = runMain("lab", "--name", "../x")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(errors, "prefix64: --name '../x': letters, digits, - and _ only\n")

    def test_countIsBounded(self) -> None:
        """
        As many addresses as the router's neighbor table has room for, and at least one.
        """
        for count in ("0", "-1", "1001"):
            status, _, errors = runMain("lab", "--count", count)
            self.assertEqual(status, 1)
            self.assertEqual(errors, f"prefix64: --count {count}: from 1 to 1000\n")

    def test_missingProgramsAreNamedWithTheirPackages(self) -> None:
        """
        A program that is missing is one line that says what to install.
        """
        self.patch(namespaces.shutil, "which", lambda program: None)
        status, _, errors = runMain("lab")
        self.assertEqual(status, 1)
        self.assertEqual(
            errors,
            "prefix64: missing: ip, ping, curl: apt-get install iproute2 iputils-ping curl\n",
        )

    def test_withoutRootTheLabSaysSo(self) -> None:
        """
        The lab needs root, and says how to get it.
        """
        self.patch(namespaces.shutil, "which", lambda program: f"/usr/bin/{program}")
        self.patch(namespaces.os, "geteuid", lambda: 1000)
        status, _, errors = runMain("lab")
        self.assertEqual(status, 1)
        self.assertIn("sudo prefix64 lab", errors)

    def test_drawnAddressesAreDifferentAndInside(self) -> None:
        """
        Each address that the lab visits is one of the prefix, and a new one.
        """
        drawn = command.draw(50)
        self.assertEqual(len(set(drawn)), 50)
        self.assertTrue(all(address.startswith("2001:db8:") for address in drawn))

    def test_failuresAreCounted(self) -> None:
        """
        The last line tells how many addresses did not answer.
        """
        self.assertIn("3 of 10", command.summary(10, 3))
        self.assertIn("10 of 10", command.summary(10, 0))


class FakeIp:
    """
    What C{ip netns} has, in memory.

    @ivar there: the namespaces, with the processes in each.
    @ivar failing: a command that fails.
    """

    def __init__(self) -> None:
        self.there: dict[str, list[int]] = {}
        self.failing: tuple[str, ...] = ()
        self.killed: list[int] = []

    def run(self, *command: str) -> str:
        """
        Stand for L{namespaces.run}.
        """
        if self.failing and command[: len(self.failing)] == self.failing:
            raise LabError("no room")
        verb, name = command[2], command[-1]
        if command[1] != "netns":
            return ""
        if verb == "list":
            return "".join(f"{each} (id: 1)\n" for each in self.there)
        if verb == "add":
            self.there[name] = []
        elif verb == "delete":
            del self.there[name]
        return "\n".join(map(str, self.there.get(name, [])))

    def kill(self, process: int, signal: int) -> None:
        """
        Stand for L{os.kill}; 2 has ended already.
        """
        if process == 2:
            raise ProcessLookupError
        self.killed.append(process)


class NamespacesTests(SynchronousTestCase):
    """
    The namespaces of a lab: only what this run made is removed.
    """

    def setUp(self) -> None:
        self.ip = FakeIp()
        self.patch(namespaces, "run", self.ip.run)
        self.patch(namespaces.os, "kill", self.ip.kill)
        self.namespaces = Namespaces("x")

    def test_whatWasMadeIsRemoved(self) -> None:
        """
        With what runs in it; once.
        """
        self.ip.there["other"] = [1]
        self.namespaces.make()
        self.assertEqual(self.namespaces.existing(), ["x-router", "x-server"])
        self.ip.there["x-server"] = [2, 3]
        self.namespaces.remove()
        self.assertEqual((self.ip.there, self.ip.killed), ({"other": [1]}, [3]))
        self.ip.there["x-router"] = [4]
        self.namespaces.remove()
        self.assertEqual((list(self.ip.there), self.ip.killed), (["other", "x-router"], [3]))

    def test_whatWasThereBeforeStays(self) -> None:
        """
        Though it has the name: another run's.
        """
        self.ip.there = {"x-router": [1], "x-server": [3]}
        self.namespaces.remove()
        self.assertEqual((list(self.ip.there), self.ip.killed), (["x-router", "x-server"], []))

    def test_whatWasMadeUntilAFailureIsRemoved(self) -> None:
        """
        The first one, both, or neither.
        """
        for failing in (
            ("ip", "netns", "add", "x-router"),
            ("ip", "-n", "x-router", "link", "set", "lo"),
            ("ip", "netns", "add", "x-server"),
            ("ip", "-n", "x-router", "route", "add"),
        ):
            self.ip.failing = failing
            self.assertRaises(LabError, self.namespaces.make)
            self.namespaces.remove()
            self.assertEqual(self.ip.there, {}, failing)

    def test_whatAnEarlierRunLeftIsRemovedWhenItIsAdopted(self) -> None:
        """
        For C{--remove}; also where only one is left.
        """
        for left in (["x-router", "x-server"], ["x-server"]):
            self.ip.there = {name: [1] for name in left}
            self.namespaces.adopt()
            self.namespaces.remove()
            self.assertEqual(self.ip.there, {})


class RemoveTests(SynchronousTestCase):
    """
    C{prefix64 lab --remove}.
    """

    def setUp(self) -> None:
        self.ip = FakeIp()
        self.patch(namespaces, "run", self.ip.run)
        self.patch(command, "requirePrograms", lambda: None)
        self.directory = os.path.abspath(self.mktemp())
        self.patch(command, "keptDirectory", lambda name: self.directory)

    def test_aLabThatWasKeptIsRemoved(self) -> None:
        """
        The namespaces and the directory.
        """
        self.ip.there = {"x-router": [], "x-server": [], "other": []}
        os.mkdir(self.directory)
        status, out, _ = runMain("lab", "--remove", "--name", "x")
        self.assertEqual((status, out), (0, "removed: x-router, x-server\n"))
        self.assertEqual((list(self.ip.there), os.path.exists(self.directory)), (["other"], False))

    def test_whatIsNoLabIsNotRemoved(self) -> None:
        """
        Namespaces of that name that no lab made have no directory; a directory alone is no lab.
        """
        self.ip.there = {"x-router": [], "x-server": []}
        status, out, errors = runMain("lab", "--remove", "--name", "x")
        self.assertEqual((status, out, len(self.ip.there)), (1, "", 2))
        self.assertTrue(errors.startswith("prefix64: there is no lab of that name: "), errors)
        os.mkdir(self.directory)
        self.ip.there.clear()
        self.assertEqual(runMain("lab", "--remove", "--name", "x")[0], 1)
        self.assertTrue(os.path.exists(self.directory))

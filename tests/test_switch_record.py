"""
The record of what switches were: written whole or not at all, and read with suspicion.
"""

from __future__ import annotations

import builtins
import errno
import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.errors import PrivilegeError, RoutingError, StateError
from prefix64.kernel import switch_record, switches
from prefix64.kernel.switch_record import (
    Changed,
    SwitchRecord,
    namespaceName,
    recordedInterfaces,
)
from prefix64.routing.entries import Sysctl

examples = settings(max_examples=200, deadline=None, derandomize=True)

MINE = Changed(Sysctl("eth0", "forwarding", "1"), "0")
OTHERS = Changed(Sysctl("eth1", "accept_ra", "2"), "1")


class Case(SynchronousTestCase):
    """
    A record in a directory.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.record = SwitchRecord(str(self.directory), "eth0")
        self.path = self.directory / f"switches-{namespaceName()}-eth0.json"

    def document(self) -> dict[str, Any]:
        """
        A good record, as JSON.
        """
        self.record.write([OTHERS, MINE], 2)
        document: dict[str, Any] = json.loads(self.path.read_text())
        return document

    def changed(self, **changed: Any) -> list[Changed]:
        """
        What is read of a record that is good but for some fields.
        """
        self.path.write_text(json.dumps({**self.document(), **changed}))
        return self.record.read(2)


class GoodTests(Case):
    """
    What is written is read.
    """

    def test_writtenAndRead(self) -> None:
        """
        In order; and it is gone when nothing is changed any more.
        """
        self.assertEqual(self.record.read(2), [])
        self.record.write([OTHERS, MINE], 2)
        self.assertEqual(SwitchRecord(str(self.directory), "eth0").read(2), [OTHERS, MINE])
        self.assertEqual(list(recordedInterfaces(str(self.directory))), ["eth0"])
        self.record.write([], 2)
        self.record.write([], 2)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_anotherInterfaceHasSwitchesOfItsOwn(self) -> None:
        """
        By its index: what was changed on others stays true.
        """
        self.record.write([OTHERS, MINE], 2)
        self.assertEqual(self.record.read(3), [OTHERS])
        self.assertEqual(self.record.read(None), [OTHERS])

    def test_anotherBootHasToo(self) -> None:
        """
        Nothing of the record is true then, and nothing in another network namespace.
        """
        self.assertEqual(self.changed(boot="another"), [])
        self.patch(switch_record, "namespaceName", lambda: "77")
        elsewhere = SwitchRecord(str(self.directory), "eth1")
        self.assertEqual(SwitchRecord(str(self.directory), "eth0").read(2), [])
        elsewhere.write([MINE], 2)
        self.assertEqual(list(recordedInterfaces(str(self.directory))), ["eth1"])

    def test_namespacesWithoutCookies(self) -> None:
        """
        Before Linux 5.14 the number of the inode is their name.
        """
        self.patch(switch_record, "_SO_NETNS_COOKIE", 9999)
        inode = os.stat("/proc/thread-self/ns/net").st_ino
        self.assertEqual(namespaceName(), f"i{inode}")


class BadTests(Case):
    """
    What is read of anything else.
    """

    def test_whatIsNoRecordIsNone(self) -> None:
        """
        Damaged, of another form, endless, or deep; whatever it is, the start goes on.
        """
        good = json.dumps(self.document())
        for text in (
            "",
            "{",
            "null",
            "7",
            '"text"',
            "[]",
            "{}",
            good[:-9],
            good + good,
            "[" * 500_000,
            '{"a":' * 150_000,
            '{"boot": ' + "9" * 100_000 + "}",
            json.dumps(
                {**json.loads(good), "switches": [["eth0", "accept_ra", "1", "2"]] * 50_000}
            ),
        ):
            self.path.write_text(text)
            self.assertEqual(self.record.read(2), [], text[:40])
        self.path.write_bytes(b"\xff\xfe\0\0")
        self.assertEqual(self.record.read(2), [])
        self.path.unlink()
        self.path.mkdir()
        self.assertEqual(self.record.read(2), [])

    def test_whatIsNotWrittenHereIsNotRead(self) -> None:
        """
        A row that names another switch, all interfaces, a path or no number: the whole record is
        then of no use.
        """
        for row in (
            [],
            7,
            None,
            "eth0",
            ["eth0", "forwarding", "0"],
            ["eth0", "forwarding", "0", "1", "2"],
            ["eth0", "disable_ipv6", "1", "0"],
            ["all", "forwarding", "0", "1"],
            ["default", "accept_ra", "1", "2"],
            ["..", "accept_ra", "1", "2"],
            [".", "accept_ra", "1", "2"],
            ["", "accept_ra", "1", "2"],
            ["../../kernel", "accept_ra", "1", "2"],
            ["eth0", "../accept_ra", "1", "2"],
            ["eth0\0", "accept_ra", "1", "2"],
            ["\ud800", "accept_ra", "1", "2"],
            ["x" * 16, "accept_ra", "1", "2"],
            ["eth0", "accept_ra", "1\n", "2"],
            ["eth0", "accept_ra", "", "2"],
            ["eth0", "accept_ra", "|/bin/sh", "2"],
            ["eth0", "accept_ra", "1", "9" * 11],
        ):
            good = ["eth0", "accept_ra", "1", "2"]
            self.assertEqual(self.changed(switches=[good, row]), [], repr(row))

    @examples
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=9), some),
            max_leaves=9,
        )
    )
    def test_nothingThatCanBeReadIsAnError(self, found: Any) -> None:
        """
        Whatever stands in its place.
        """
        self.assertEqual(self.changed(switches=found), [])


class FullTests(Case):
    """
    What cannot be written.
    """

    def test_oneLineSaysSoAndTheOldRecordStays(self) -> None:
        """
        No half of a record is left, either.
        """
        self.record.write([MINE], 2)

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(os, "fsync", full)
        error = self.assertRaises(StateError, self.record.write, [OTHERS, MINE], 2)
        self.assertEqual(
            str(error),
            f"--state {str(self.directory)!r}: what sysctls were cannot be written down: "
            "No space left on device: make room, or choose another directory",
        )
        self.assertEqual(self.record.read(2), [MINE])
        self.assertEqual(list(self.directory.iterdir()), [self.path])

    def test_withoutADirectory(self) -> None:
        """
        There is nothing to read; and one line when something is to be written.
        """
        record = SwitchRecord(str(self.directory / "none"), "eth0")
        self.assertEqual(record.read(2), [])
        record.write([], 2)
        self.assertIn("No such file", str(self.assertRaises(StateError, record.write, [MINE], 2)))
        self.assertEqual(list(recordedInterfaces(str(self.directory / "none"))), [])


class SwitchesTests(SynchronousTestCase):
    """
    The kernel's switches as files.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        for interface in ("all", "default", "eth0", "eth0.5"):
            (self.root / interface).mkdir(parents=True)
            (self.root / interface / "forwarding").write_text("0\n")
        self.patch(switches, "_ROOT", self.root)

    def test_readAndWritten(self) -> None:
        """
        By the name of the interface, which may have a dot in it.
        """
        switches.writeSwitch(Sysctl("eth0.5", "forwarding", "1"))
        self.assertEqual(switches.readSwitch("eth0.5", "forwarding"), "1")
        self.assertEqual(switches.readSwitch("eth0", "forwarding"), "0")
        self.assertEqual(switches.switchedInterfaces(), ["eth0", "eth0.5"])

    def test_whatIsMissingIsNone(self) -> None:
        """
        An interface, or a switch that this kernel does not have.
        """
        self.assertIsNone(switches.readSwitch("eth1", "forwarding"))
        self.assertIsNone(switches.readSwitch("eth0", "force_forwarding"))
        self.patch(switches, "_ROOT", self.root / "none")
        self.assertEqual(switches.switchedInterfaces(), [])

    def test_refusals(self) -> None:
        """
        In one line; where /proc/sys is for reading only, as in a container, it says so.
        """
        gone = Sysctl("eth1", "forwarding", "1")
        error = self.assertRaises(RoutingError, switches.writeSwitch, gone)
        self.assertEqual(
            str(error), "sysctl net/ipv6/conf/eth1/forwarding=1: No such file or directory"
        )
        for number in (errno.EPERM, errno.EACCES, errno.EROFS):

            def refuse(*arguments: object, number: int = number) -> None:
                raise OSError(number, os.strerror(number))

            self.patch(builtins, "open", refuse)
            error = self.assertRaises(PrivilegeError, switches.writeSwitch, gone)
            self.assertIn(
                "it needs CAP_NET_ADMIN, and /proc/sys that can be written to", str(error)
            )

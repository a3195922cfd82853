"""
The access log as a file, also on a full disk.
"""

from __future__ import annotations

import os

from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from prefix64.errors import ListenError
from prefix64.web.access_log import AccessLogFile, openAccessLog, writeToTwistedLog
from prefix64.web.site import AddressSite
from tests.support import skipBecause
from tests.test_pages import tablesFor
from tests.test_vhost import CAFE, Connection, wire

FULL = "/dev/full"


class Hello(Resource):
    """
    A site of one word.
    """

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return b"hello"


class LogCase(SynchronousTestCase):
    """
    What is logged to twistd's log.
    """

    def setUp(self) -> None:
        self._events = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.path = os.path.abspath(self.mktemp())

    def lines(self) -> list[str]:
        return [
            formatEvent(event)
            for event in self._events
            if event.get("log_namespace") == "prefix64.access"
        ]

    def text(self) -> str:
        with open(self.path) as file:
            return file.read()


class AccessLogFileTests(LogCase):
    """
    L{AccessLogFile}.
    """

    def test_aLineIsInTheFileAtOnce(self) -> None:
        """
        Whoever watches the file sees it.
        """
        log = AccessLogFile(self.path)
        log.write("one")
        self.assertEqual(self.text(), "one\n")
        log.write("two")
        self.assertEqual((self.text(), log.lost), ("one\ntwo\n", 0))
        log.close()

    def test_linesOfAnEarlierRunStay(self) -> None:
        """
        New ones stand behind them.
        """
        for line in ("one", "two"):
            log = AccessLogFile(self.path)
            log.write(line)
            log.close()
        self.assertEqual(self.text(), "one\ntwo\n")

    def test_aFileThatCannotBeOpenedIsNamed(self) -> None:
        """
        In one line, whatever its name.
        """
        path = os.path.join(self.path, "access\n.log")
        error = self.assertRaises(ListenError, AccessLogFile, path)
        self.assertNotIn("\n", str(error))
        self.assertEqual(str(error), f"--access-log {path!r}: No such file or directory")


class FullDiskTests(LogCase):
    """
    A disk without room, as C{/dev/full} plays it.
    """

    def setUp(self) -> None:
        super().setUp()
        if not os.path.exists(FULL):
            skipBecause(f"there is no {FULL}")
        self.log = AccessLogFile(FULL)
        self.addCleanup(self.log.close)

    def test_lostLinesAreCountedAndSaidOnce(self) -> None:
        """
        The log of twistd has one line, however many are lost.
        """
        for _ in range(3):
            self.log.write("x" * 100)
        self.assertEqual(self.log.lost, 3)
        (line,) = self.lines()
        self.assertEqual(line, f"--access-log {FULL!r}: No space left on device: lines are lost")

    def test_manyLostLinesAreNoMoreThanThat(self) -> None:
        """
        More than a buffer has room for.
        """
        for _ in range(300):
            self.log.write("x" * 1000)
        self.assertEqual((self.log.lost, len(self.lines())), (300, 1))

    def test_aLineThatIsLostStaysLost(self) -> None:
        """
        When there is room again, the file goes on with the next line, and with all of it.
        """
        log = AccessLogFile(self.path)
        self.addCleanup(log.close)
        descriptor = log._file.fileno()
        kept, full = os.dup(descriptor), os.open(FULL, os.O_WRONLY)
        self.addCleanup(os.close, kept)
        self.addCleanup(os.close, full)
        log.write("one")
        os.dup2(full, descriptor)
        log.write("two")
        os.dup2(kept, descriptor)
        log.write("three")
        self.assertEqual((self.text(), log.lost), ("one\nthree\n", 1))

    def test_closingIsNoError(self) -> None:
        """
        Nothing is left to be written: the end of the server goes on.
        """
        self.log.write("one")
        self.log.close()

    def test_theRequestIsAnsweredAllTheSame(self) -> None:
        """
        The visitor has no part in it.
        """
        site = AddressSite(Hello(), tablesFor(), self.log.write, MemoryReactorClock())
        connection = Connection(site, wire(CAFE))
        for _ in range(3):
            self.assertEqual(connection.get(), (200, b"hello"))
        self.assertEqual(self.log.lost, 3)


class NearlyFullDisk:
    """
    A file that takes some bytes of each of the first writes, and everything of those that follow.
    """

    def __init__(self, *room: int | None) -> None:
        """
        @param room: how many bytes; L{None} for a pipe that is full.
        """
        self.written = b""
        self._room = list(room)

    def write(self, data: bytes) -> int | None:
        """
        Take what fits.
        """
        room = self._room.pop(0) if self._room else len(data)
        if room is None:
            return None
        self.written += data[:room]
        return len(data[:room])


class NearlyFullDiskTests(LogCase):
    """
    A line that fits in part.
    """

    def test_lineWrittenInPartIsLostAndTheNextOneIsWhole(self) -> None:
        """
        The fragment counts as lost, and the next line does not stick to it.
        """
        log = AccessLogFile(self.mktemp())
        log.close()
        disk = NearlyFullDisk(5)
        self.patch(log, "_file", disk)
        log.write("0123456789")
        log.write("next")
        self.assertEqual(log.lost, 1)
        self.assertEqual(disk.written, b"01234\nnext\n")

    def test_whatIsNotWrittenAtAllIsLostToo(self) -> None:
        """
        Behind a whole line nothing is to be ended; behind a fragment it still is, later.
        """
        for room, written, lost in (
            ((None,), b"next\n", 1),
            ((0,), b"next\n", 1),
            ((5, None, 0), b"01234\nnext\n", 3),
            ((5, 3), b"01234\n01\nnext\n", 2),
        ):
            log = AccessLogFile(self.mktemp())
            log.close()
            disk = NearlyFullDisk(*room)
            self.patch(log, "_file", disk)
            for _ in room:
                log.write("0123456789")
            log.write("next")
            self.assertEqual((log.lost, disk.written), (lost, written), room)


class PipeTests(LogCase):
    """
    A pipe, whose reader may come late, be slow, or leave.
    """

    def setUp(self) -> None:
        super().setUp()
        os.mkfifo(self.path)

    def opened(self) -> tuple[AccessLogFile, int]:
        """
        @return: the log, and the reader's end.
        """
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        log = AccessLogFile(self.path)
        self.addCleanup(log.close)
        return log, reader

    def test_withoutAReaderItIsAnError(self) -> None:
        """
        At once: the start does not wait for one.
        """
        error = self.assertRaises(ListenError, AccessLogFile, self.path)
        self.assertEqual(str(error), f"--access-log {self.path!r}: nobody reads this pipe")

    def test_aReaderReads(self) -> None:
        """
        A line at once.
        """
        log, reader = self.opened()
        self.addCleanup(os.close, reader)
        log.write("one")
        self.assertEqual((os.read(reader, 100), log.lost), (b"one\n", 0))

    def test_aSlowReaderLosesLines(self) -> None:
        """
        No request waits for it; when there is room again, the next line is whole.
        """
        log, reader = self.opened()
        self.addCleanup(os.close, reader)
        line = "x" * 3000
        while not log.lost:
            log.write(line)
        log.write(line)
        (said,) = self.lines()
        self.assertEqual(
            said, f"--access-log {self.path!r}: no room for a whole line: lines are lost"
        )
        self.assertEqual(log.lost, 2)
        rest = b""
        while len(piece := os.read(reader, 1 << 16)) == 1 << 16:
            rest += piece
        rest += piece
        log.write("next")
        whole, *_, last = (rest + os.read(reader, 100)).split(b"\n")[:-1]
        self.assertEqual((whole, last), (line.encode(), b"next"))

    def test_aReaderThatLeavesLosesLines(self) -> None:
        """
        And is no error of ours.
        """
        log, reader = self.opened()
        os.close(reader)
        for _ in range(2):
            log.write("one")
        self.assertEqual((log.lost, len(self.lines())), (2, 1))
        self.assertIn("Broken pipe: lines are lost", self.lines()[0])


class OpenAccessLogTests(LogCase):
    """
    What C{--access-log} names.
    """

    def test_noneIsNoLog(self) -> None:
        """
        Nothing takes lines, and closing is no error.
        """
        write, close = openAccessLog("none")
        self.assertIsNone(write)
        close()

    def test_aDashIsTwistdsLog(self) -> None:
        """
        What looks like a format in a line is not one.
        """
        write, close = openAccessLog("-")
        self.assertIs(write, writeToTwistedLog)
        write("GET /{x}/%s/{0!r}")
        close()
        self.assertEqual(self.lines(), ["GET /{x}/%s/{0!r}"])

    def test_anythingElseIsAFile(self) -> None:
        """
        And closing closes it.
        """
        write, close = openAccessLog(self.path)
        write("one")
        close()
        self.assertEqual(self.text(), "one\n")
        self.assertRaises(ValueError, write, "two")

"""
Questions sent, and what comes back: time and a socket, and no judgement.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence

from prefix64.errors import ProbeError
from prefix64.link.packet_socket import ILinkSocket
from prefix64.probe.judging import Arrival, Heard
from prefix64.probe.questions import Question, concerns, isAnswer, isError
from prefix64.probe.reading import Packet, readPacket

MOST_FRAMES = 20_000
"""How many frames are looked at after each try."""

MOST_ARRIVALS = 32
"""How many frames that have to do with a question are kept."""

Wait = Callable[[ILinkSocket, float], None]
"""Waits until a socket has a frame, or for so many seconds."""


def waitFor(link: ILinkSocket, seconds: float) -> None:
    """
    Wait for a frame.
    """
    select.select([link], [], [], seconds)


class Exchange:
    """
    Asks over a socket.
    """

    def __init__(
        self,
        link: ILinkSocket,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = waitFor,
    ) -> None:
        """
        @param timeout: seconds that are listened after each try. They are waited out after an
            answer too: a second one may follow, and proxies may take up to a second (RFC 4861
            7.2.7).
        @param clock: the time in seconds.
        """
        self._link = link
        self._timeout = timeout
        self._clock = clock
        self._wait = wait

    def ask(self, question: Question, frames: Sequence[bytes]) -> Heard:
        """
        Ask a question until something answers it, or says why not.

        @param frames: the question as a frame, for each try.
        @raise ProbeError: the interface went down.
        """
        self._discard()
        arrivals: list[Arrival] = []
        isCut = False
        for attempt, frame in enumerate(frames, 1):
            sent = self._send(frame)
            cut = self._listen(question, sent, attempt, arrivals)
            isCut = isCut or cut
            if isCut or any(_settles(question, arrival) for arrival in arrivals):
                return Heard(attempt, arrivals, isCut)
        return Heard(len(frames), arrivals)

    def _discard(self) -> None:
        """
        Forget what came before the question.
        """
        for _ in range(MOST_FRAMES):
            if self._receive() is None:
                return

    def _send(self, frame: bytes) -> float:
        """
        Send a frame.

        @return: when, in seconds.
        """
        sent = self._clock()
        try:
            self._link.send(frame)
        except OSError as error:
            raise _failed(error) from None
        return sent

    def _listen(
        self, question: Question, sent: float, attempt: int, arrivals: list[Arrival]
    ) -> bool:
        """
        Take what comes until the time is over.

        @return: whether more came than is looked at.
        """
        deadline = sent + self._timeout
        looked = 0
        while (left := deadline - self._clock()) > 0:
            frame = self._receive()
            if frame is None:
                self._wait(self._link, left)
                continue
            looked += 1
            if _concerned(frame, question) is not None:
                arrivals.append(Arrival(frame, self._clock() - sent, attempt))
            if looked == MOST_FRAMES or len(arrivals) == MOST_ARRIVALS:
                return True
        return False

    def _receive(self) -> bytes | None:
        """
        Take a frame.

        @return: L{None} if none has come.
        """
        frames = self._link.receive(1)
        if frames:
            return frames[0][0]
        error = self._link.takeError()
        if error is not None:
            raise _failed(error)
        return None


def _concerned(frame: bytes, question: Question) -> Packet | None:
    """
    Read a frame.

    @return: L{None} if it has nothing to do with the question.
    """
    packet = readPacket(frame)
    return packet if packet is not None and concerns(packet, question) else None


def _settles(question: Question, arrival: Arrival) -> bool:
    """
    Tell whether a frame ends the asking.
    """
    packet = readPacket(arrival.frame)
    return packet is not None and (isAnswer(packet, question) or isError(packet, question))


def _failed(error: OSError) -> ProbeError:
    """
    The error of an interface that does not work.
    """
    why = os.strerror(error.errno or 0)
    return ProbeError(f"the interface does not work while it is probed: {why}")

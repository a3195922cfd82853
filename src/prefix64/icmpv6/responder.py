"""
The responder: frames and the time in; verdicts, and replies or none, out.
"""

from __future__ import annotations

from collections.abc import Iterable

from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.fast_path import FastPath
from prefix64.icmpv6.limits import Limits
from prefix64.icmpv6.neighbor import LinkIdentity, NeighborDiscovery
from prefix64.icmpv6.packets import (
    PACKET_OTHERHOST,
    PACKET_OUTGOING,
    Advertisement,
    EchoRequest,
    Solicitation,
    decode,
)
from prefix64.icmpv6.verdicts import Answer, Verdict


class Responder:
    """
    Answers frames. Pure: what it sends is what it returns.

    @ivar neighbor: what decides about Neighbor Discovery.
    @ivar counts: how many frames got each verdict, by the verdict's number.
    """

    def __init__(
        self,
        identity: LinkIdentity,
        neighbor: NeighborDiscovery,
        echo: Echo | None,
        limits: Limits | None = None,
    ) -> None:
        """
        @param echo: L{None} leaves echo requests to the kernel.
        @param limits: how many answers go out; L{None} for all.
        """
        self._identity = identity
        self.neighbor = neighbor
        self._echo = echo
        self._limits = limits
        self._fastPath = FastPath(neighbor)
        self.counts = [0] * len(Verdict)

    def framesReceived(self, frames: Iterable[tuple[bytes, int]], now: float) -> list[bytes]:
        """
        Decide about a batch of frames, as L{frameReceived} does about each of them.

        @param frames: each with its packet type.
        @return: the frames to send back, in order.
        """
        replies: list[bytes] = []
        answer, limits = self._fastPath.current(now), self._limits
        advertised = 0
        for frame, packetType in frames:
            reply = answer(frame, now) if packetType < PACKET_OTHERHOST else None
            if reply is None:
                reply = self.frameReceived(frame, packetType, now)[1]
                if reply is None:
                    continue
            elif limits is None:
                advertised += 1
            else:
                refusal = limits.refusal(frame[6:12], now)
                self.counts[refusal or Verdict.ADVERTISED] += 1
                if refusal:
                    continue
            replies.append(reply)
        self.counts[Verdict.ADVERTISED] += advertised
        return replies

    def frameReceived(self, frame: bytes, packetType: int, now: float) -> Answer:
        """
        Decide about a frame.

        @param frame: from the link-layer header on.
        @param packetType: what the kernel says of whom the frame was for: 0 us, 1 broadcast, 2 a
            group, 3 another host, 4 our own on its way out (packet(7)).
        @param now: seconds, of any monotonic clock.
        @return: the verdict, and the frame to send back, if there is one.
        """
        answer = self._decide(frame, packetType, now)
        if self._limits is not None and answer[1] is not None:
            refusal = self._limits.refusal(frame[6:12], now)
            answer = answer if refusal is None else (refusal, None)
        self.counts[answer[0]] += 1
        return answer

    def _decide(self, frame: bytes, packetType: int, now: float) -> Answer:
        """
        See whether the frame is for us, and read it.
        """
        if packetType == PACKET_OTHERHOST:
            return Verdict.OTHER_HOST, None
        if packetType == PACKET_OUTGOING:
            return Verdict.OUTGOING, None
        if frame[6:12] == self._identity.linkLayerAddress:
            return Verdict.OWN_FRAME, None
        message = decode(frame)
        if isinstance(message, Solicitation):
            return self.neighbor.solicited(message, now)
        if isinstance(message, Advertisement):
            return self.neighbor.advertised(message, now)
        if isinstance(message, EchoRequest):
            if self._echo is None:
                return Verdict.KERNELS_ECHO, None
            return self._echo.requested(message, packetType, now)
        return message, None

    def counters(self) -> dict[str, int]:
        """
        What became of the frames so far, by the verdict's name; verdicts that never came are left
        out.
        """
        return {
            verdict.name.lower(): self.counts[verdict]
            for verdict in Verdict
            if self.counts[verdict]
        }

"""
Any bytes into the responder, guided by what they reach in it (atheris)::

    python -m fuzz.responder CORPUS -max_total_time=300

The first byte of an input says what is done with the rest. A single frame is held against the
second reading of the standards (L{tests.oracle}). A sequence of frames goes into two responders
that learn from it: the fast path of the one must say what the full path of the other says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["prefix64"]):
    import prefix64.icmpv6.responder  # noqa: F401

from prefix64.icmpv6.limits import Limits
from prefix64.icmpv6.policies import RespondPolicy
from tests.frames import advertisement, solicitation
from tests.oracle import hold
from tests.test_fast_path import WORLDS, responderOf
from tests.test_ndp_cases import World
from tests.test_responder_fuzz import repaired, validFrames

LONGEST = 1600
"""Bytes of an input."""

_SEQUENCE, _REPAIR, _TYPE = 0x80, 0x40, 0x07


def framesIn(data: bytes) -> Iterator[tuple[bytes, int]]:
    """
    Cut bytes into frames: each has its length before it, and what kind it is of.
    """
    while len(data) > 2:
        length, kind = data[0], data[1]
        frame, data = data[2 : 2 + length], data[2 + length :]
        yield repaired(frame, None) if kind & _REPAIR else frame, (kind & _TYPE) % 5


def inSequence(kind: int, data: bytes) -> None:
    """
    Have two responders learn from the same frames.
    """
    world = World(**WORLDS[kind % len(WORLDS)])
    respond = list(RespondPolicy)[kind >> 4 & 1]
    limits = (Limits(3, 2), Limits(3, 2)) if kind >> 3 & 1 else (None, None)
    fast, full = (responderOf(world, respond, bool(kind >> 5 & 1), one) for one in limits)
    frames = list(framesIn(data))
    for now in (1.0, 2.0, 30.0):
        answers = [full.frameReceived(frame, packetType, now)[1] for frame, packetType in frames]
        replies = fast.framesReceived(frames, now)
        assert replies == [reply for reply in answers if reply is not None]
        assert fast.counters() == full.counters()


def one(data: bytes) -> None:
    """
    Try one input.
    """
    if not data:
        return
    kind, rest = data[0], data[1:]
    if kind & _SEQUENCE:
        inSequence(kind, rest)
    else:
        hold(repaired(rest, None) if kind & _REPAIR else rest, (kind & _TYPE) % 5)


def seeds() -> Iterator[bytes]:
    """
    Inputs to begin with: frames of every kind that the kernel's filter lets through.
    """
    for frame in validFrames():
        for kind in (0, 2, _REPAIR, _REPAIR | 2):
            yield bytes([kind]) + frame
    router, target = "2001:db8:0:64::9", "2001:db8:0:64::57:cafe"
    sequence = (
        solicitation(target, router),
        advertisement(router),
        solicitation(router),
        advertisement(target, source=target),
        solicitation(target, "fe80::fe", target),
    )
    for kind in range(_SEQUENCE, 256, 5):
        yield bytes([kind]) + b"".join(bytes([len(f), _REPAIR | 2]) + f for f in sequence)


def main() -> None:
    """
    Write the seeds into the corpus, and begin.
    """
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    atheris.Setup([*sys.argv, f"-max_len={LONGEST}"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

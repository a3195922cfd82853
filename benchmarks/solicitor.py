"""
A router that asks for addresses of a prefix: faster than anybody answers, or at a fixed rate. Run
as a program in a network namespace, it says as JSON how many of its solicitations were answered,
and whether the answers are right::

    python -m benchmarks.solicitor --iface eth0 --prefix 2001:db8::/64 --rate 0 --seconds 3

Answers are counted by the kernel: a filter lets well-formed advertisements for the prefix pass to a
socket that nobody reads, and its statistics count them, whether they find room or not. So counting
costs no answer. A sample of the answers is read by scapy.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence

from prefix64.addressing import Prefix, parseServedPrefix
from prefix64.link.packet_socket import attachFilter
from prefix64.link.send_batch import MOST, SendBatch

LINK_SOURCE = bytes.fromhex("020000000001")
"""The link-layer address that solicitations come from."""

SOURCE = bytes.fromhex("fe80") + bytes(13) + b"\x01"
LENGTH = 86
POOL = 1 << 14
"""How many different addresses are asked for, in turn, where they need not be new each time."""

SAMPLE = 300
"""How many of the answers scapy reads."""

SETTLE = 0.3
"""Seconds for the last answers to come."""

_ETH_P_IPV6 = 0x86DD
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_GROUP_LINK = b"\x33\x33\xff"
_GROUP = bytes.fromhex("ff0200000000000000000001ff")
_LINK = slice(0, 6)
_FROM = slice(6, 12)
_CHECKSUM = slice(56, 58)


def solicitation(target: int, linkSource: bytes = LINK_SOURCE, source: bytes = SOURCE) -> bytes:
    """
    A solicitation for an address, as a router sends it.
    """
    address = target.to_bytes(16, "big")
    group = _GROUP + address[13:]
    message = b"\x87\0\0\0\0\0\0\0" + address + b"\x01\x01" + linkSource
    total = sum(struct.unpack(">16H", source + group)) + sum(struct.unpack(">16H", message)) + 90
    checksum = (0xFFFF - total % 0xFFFF).to_bytes(2, "big")
    header = b"\x60\0\0\0\0\x20\x3a\xff"
    head = _GROUP_LINK + address[13:] + linkSource + b"\x86\xdd" + header + source + group
    return head + message[:2] + checksum + message[4:]


def pool(prefix: Prefix, count: int = POOL, seed: int = 64) -> list[bytes]:
    """
    Solicitations for as many addresses of a prefix, drawn by chance, the same in each run.
    """
    draw = random.Random(seed).getrandbits
    return [solicitation(prefix.address(draw(128) | 1 << 32)) for _ in range(count)]


def spoofed(prefix: Prefix, count: int, first: int = 0) -> Iterator[bytes]:
    """
    Solicitations each from another machine, for another address. Every other one comes from an
    address of the prefix itself.

    @param first: which of the many machines and addresses comes first.
    """
    for number in range(first, first + count):
        last = number.to_bytes(5, "big")
        head = prefix.network.to_bytes(16, "big")[:8] if number & 1 else b"\xfe\x80" + bytes(6)
        source = head + b"\xff\xfe\xff" + last
        target = prefix.address(number * 0x9E3779B97F4A7C15 | 1 << 32)
        yield solicitation(target, b"\x02" + last, source)


def advertisementFilter(prefix: Prefix) -> bytes:
    """
    A classic BPF program that lets advertisements pass that answer for a /64: hop limit 255, code
    0, S = 1, and the target's link-layer address.
    """
    network = prefix.network.to_bytes(16, "big")
    byte, half, word = 0x30, 0x28, 0x20
    checks = (
        (half, 18, 32),
        (byte, 20, 58),
        (byte, 21, 255),
        (half, 54, 0x8800),
        (word, 62, int.from_bytes(network[:4], "big")),
        (word, 66, int.from_bytes(network[4:8], "big")),
        (half, 78, 0x0201),
    )
    program = []
    steps = len(checks) + 1
    for number, (load, offset, value) in enumerate(checks):
        left = 2 * (steps - number - 1)
        program += [(load, 0, 0, offset), (0x15, 0, left + 1, value)]
    program += [(byte, 0, 0, 58), (0x45, 0, 1, 0x40), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


class Counter:
    """
    Counts advertisements, and keeps the first of them.
    """

    def __init__(self, interface: str, prefix: Prefix) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        attachFilter(self._socket, advertisementFilter(prefix))
        self._socket.bind((interface, _ETH_P_IPV6))
        self.count()

    def count(self) -> int:
        """
        How many have come since the last call.
        """
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[0])

    def sample(self) -> list[bytes]:
        """
        The first of them.
        """
        frames = []
        while len(frames) < SAMPLE:
            try:
                frames.append(self._socket.recv(2048))
            except BlockingIOError:
                break
        return frames


def wrong(frames: Sequence[bytes]) -> int:
    """
    How many advertisements are not what RFC 4861 7.2.4 asks for, as scapy reads them.
    """
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
    from scapy.layers.l2 import Ether

    def isRight(frame: bytes) -> bool:
        packet = Ether(frame)
        again = packet[IPv6].copy()
        del again[ICMPv6ND_NA].cksum
        return bool(
            packet[IPv6].hlim == 255
            and not packet[IPv6].dst.startswith("ff")
            and packet[ICMPv6ND_NA].S == 1
            and packet[ICMPv6NDOptDstLLAddr].lladdr == packet.src
            and bytes(again) == bytes(packet[IPv6])
        )

    return sum(not isRight(frame) for frame in frames)


def flood(descriptor: int, frames: Sequence[bytes], seconds: float) -> int:
    """
    Send as fast as can be.

    @return: how many were sent.
    """
    batch, sent, size = SendBatch(LENGTH), 0, len(frames) // MOST * MOST
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        at = sent % size
        sent += MOST - len(batch.send(descriptor, frames[at : at + MOST]))
    return sent


def pace(descriptor: int, frames: Sequence[bytes], seconds: float, rate: int) -> int:
    """
    Send at an even pace: one by one, or in the smallest bursts that keep up with the rate.

    @param rate: a second.
    @return: how many were sent.
    """
    batch, burst, sent = SendBatch(LENGTH), max(1, rate // 20_000), 0
    start = time.perf_counter()
    for number in range(0, int(rate * seconds), burst):
        while time.perf_counter() < start + number / rate:
            pass
        at = number % (len(frames) - burst)
        sent += burst - len(batch.send(descriptor, frames[at : at + burst]))
    return sent


def impersonate(descriptor: int, prefix: Prefix, count: int, first: int) -> int:
    """
    Send as many solicitations, each from another machine.

    @param first: see L{spoofed}.
    @return: how many were sent.
    """
    batch, sent = SendBatch(LENGTH), 0
    for done in range(0, count, MOST):
        frames = list(spoofed(prefix, min(MOST, count - done), first + done))
        sent += len(frames) - len(batch.send(descriptor, frames))
    return sent


def main() -> None:
    """
    Ask, and say what came back.
    """
    parser = argparse.ArgumentParser(description="Ask for many addresses of a prefix.")
    parser.add_argument("--iface", default="eth0")
    parser.add_argument("--prefix", type=parseServedPrefix, required=True)
    parser.add_argument("--rate", type=int, default=0, help="a second; 0: as fast as can be")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--spoof", type=int, default=0, help="as many, each from another machine")
    parser.add_argument("--first", type=int, default=0, help="which machine is the first of them")
    given = parser.parse_args()
    frames = pool(given.prefix)
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((given.iface, 0))
    counter = Counter(given.iface, given.prefix)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    if given.spoof:
        sent = impersonate(sender.fileno(), given.prefix, given.spoof, given.first)
    elif given.rate:
        sent = pace(sender.fileno(), frames, given.seconds, given.rate)
    else:
        sent = flood(sender.fileno(), frames, given.seconds)
    elapsed = time.perf_counter() - start
    time.sleep(SETTLE)
    answered, sample = counter.count(), counter.sample()
    result = {"sent": sent, "answered": answered, "seconds": elapsed}
    print(
        json.dumps({**result, "sample": len(sample), "wrong": 0 if given.spoof else wrong(sample)}),
        flush=True,
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()

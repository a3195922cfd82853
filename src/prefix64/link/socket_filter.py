"""
The classic BPF program that keeps everybody else's packets in the kernel (bpf(4), packet(7)).

What passes: every Neighbor Solicitation and Advertisement (ICMPv6 types 135, 136) and, where we
answer echo, every echo request (128) to one of the prefixes. Malformed ones pass too, as far as
they have a type, and so do those behind a fragment or extension header: they are counted by their
reason, not lost unseen. Where two such headers stand in a row, whatever follows passes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from prefix64.addressing import ADDRESS_BITS, Prefix
from prefix64.icmpv6.packets import (
    DESTINATION_OPTIONS,
    ECHO_REQUEST,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    ICMPV6_START,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    ROUTING,
)

Instruction = tuple[int, int, int, int]
"""Operation, jump if true, jump if false, operand: C{struct sock_filter}, 8 bytes."""

_LOAD_BYTE = 0x30
_LOAD_BYTE_INDEXED = 0x50
_LOAD_HALF = 0x28
_LOAD_WORD = 0x20
_AND = 0x54
_ADD = 0x04
_SHIFT_LEFT = 0x64
_TO_INDEX = 0x07
_JUMP = 0x05
_JUMP_EQUAL = 0x15
_JUMP_SET = 0x45
_RETURN = 0x06

_NEXT_HEADER = 20
_DESTINATION = 38
_TARGET = ICMPV6_START + 8
_FRAGMENT_OFFSET = ICMPV6_START + 2
_WHOLE = 0x40000
_DROP: Instruction = (_RETURN, 0, 0, 0)
_PASS: Instruction = (_RETURN, 0, 0, _WHOLE)
_DECIDE: Instruction = (_JUMP, 0, 0, 0)
"""Stands for the jump to the one block that decides by the type in the accumulator."""

EXTENSIONS = (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS)


def icmpv6Filter(prefixes: Iterable[Prefix], echo: bool) -> bytes:
    """
    Make the program.

    @param prefixes: the served prefixes; only echo requests to them pass.
    @param echo: whether echo requests pass at all.
    @return: an array of C{struct sock_filter}.
    """
    types = _types(_destinationIn(prefixes) if echo else [])
    plain = [(_LOAD_BYTE, 0, 0, ICMPV6_START), _DECIDE]
    program = [(_LOAD_BYTE, 0, 0, _NEXT_HEADER), *_when([ICMPV6], plain)]
    program += _when([FRAGMENT], _fragment())
    program += _when(EXTENSIONS, _extension())
    program.append(_DROP)
    program = [
        (_JUMP, 0, 0, len(program) - at - 1) if instruction is _DECIDE else instruction
        for at, instruction in enumerate(program)
    ]
    program += types
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def answersFilter(addresses: Iterable[int], target: int) -> bytes:
    """
    Make the program of somebody who asks. Of ICMPv6 passes what comes to one of the addresses that
    are asked from, and what has one of them or the target where solicitations and advertisements
    have their target address; of what is behind an extension header, what comes to an address.

    @param addresses: the addresses that are asked from.
    @param target: the address that is asked for.
    @return: an array of C{struct sock_filter}.
    """
    ours = [Prefix(address, ADDRESS_BITS) for address in addresses]
    toUs = _within(ours, _DESTINATION)
    about = _within([*ours, Prefix(target, ADDRESS_BITS)], _TARGET)
    program = [(_LOAD_BYTE, 0, 0, _NEXT_HEADER), *_when([ICMPV6], [*toUs, *about, _DROP])]
    program += [*_when((*EXTENSIONS, FRAGMENT), [*toUs, _DROP]), _DROP]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _when(values: Iterable[int], then: list[Instruction]) -> list[Instruction]:
    """
    Run a block, which must end in a return, if the accumulator has one of some values. A jump goes
    at most 255 ahead, so each test jumps over an unconditional jump to what follows.
    """
    tests = list(values)
    jumps = [(_JUMP_EQUAL, len(tests) - i, 0, value) for i, value in enumerate(tests)]
    return [*jumps, (_JUMP, 0, 0, len(then)), *then]


def _types(echo: list[Instruction]) -> list[Instruction]:
    """
    Decide by the ICMPv6 type in the accumulator.

    @param echo: decides about an echo request; empty to drop it.
    """
    wanted = _when([NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT], [_PASS])
    return wanted + (_when([ECHO_REQUEST], echo) if echo else []) + [_DROP]


def _fragment() -> list[Instruction]:
    """
    Decide about what has a fragment header first: of a message only its first fragment has a type.
    """
    return [
        (_LOAD_HALF, 0, 0, _FRAGMENT_OFFSET),
        (_JUMP_SET, 0, 1, 0xFFF8),
        _DROP,
        (_LOAD_BYTE, 0, 0, ICMPV6_START),
        *_when(EXTENSIONS, [_PASS]),
        *_when([ICMPV6], [(_LOAD_BYTE, 0, 0, ICMPV6_START + 8), _DECIDE]),
        _DROP,
    ]


def _extension() -> list[Instruction]:
    """
    Decide about what has another extension header first, which is 8 bytes and 8 for each that its
    second byte counts. Two in a row are left to the parser.
    """
    return [
        (_LOAD_BYTE, 0, 0, ICMPV6_START),
        *_when((*EXTENSIONS, FRAGMENT), [_PASS]),
        *_when(
            [ICMPV6],
            [
                (_LOAD_BYTE, 0, 0, ICMPV6_START + 1),
                (_ADD, 0, 0, 1),
                (_SHIFT_LEFT, 0, 0, 3),
                (_TO_INDEX, 0, 0, 0),
                (_LOAD_BYTE_INDEXED, 0, 0, ICMPV6_START),
                _DECIDE,
            ],
        ),
        _DROP,
    ]


def _destinationIn(prefixes: Iterable[Prefix]) -> list[Instruction]:
    """
    Decide by the destination address: pass if it is in one of the prefixes.
    """
    return [*_within(prefixes, _DESTINATION), _DROP]


def _within(prefixes: Iterable[Prefix], offset: int) -> list[Instruction]:
    """
    Pass if the address at an offset is in one of the prefixes, else go on behind this.
    """
    program: list[Instruction] = []
    for prefix in prefixes:
        program += _withinOne(prefix, offset)
    return program


def _withinOne(prefix: Prefix, offset: int) -> list[Instruction]:
    """
    Pass if the address at an offset is in a prefix, else go on behind this.
    """
    words: list[list[Instruction]] = []
    for index in range(0, prefix.length, 32):
        bits = min(32, prefix.length - index)
        mask = (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
        value = prefix.network >> (96 - index) & 0xFFFFFFFF
        load: list[Instruction] = [(_LOAD_WORD, 0, 0, offset + index // 8)]
        narrow: list[Instruction] = [] if bits == 32 else [(_AND, 0, 0, mask)]
        words.append([*load, *narrow, (_JUMP_EQUAL, 0, 0, value)])
    after = 1
    program: list[Instruction] = []
    for word in reversed(words):
        operation, true, _, value = word[-1]
        program = [*word[:-1], (operation, true, after, value), *program]
        after += len(word)
    return [*program, _PASS]

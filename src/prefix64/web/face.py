"""
The face of an address: a drawing of its bits, and a colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from prefix64.addressing import ADDRESS_BITS
from prefix64.web.address_facts import AddressFacts, bitCount
from prefix64.web.pages import HUES, Markup, fill, packageText, together

GROUP_BITS = 16
NIBBLE_BITS = 4
CELL = 22
"""From one bit of a face to the next, in the drawing's own unit."""

MARGIN = 4
"""Between a cell's edge and its square, whose line is as wide again."""

MIDDLE_ROW = 6
"""The row, from 0, in the colour of the text: of a /64 the third of the identifier's four."""

NIBBLE_GAP = 8
LEFT = 60
"""Where the bits begin, right of the digits of their group."""

_FACE = Template(packageText("face.html"))
_ROW = Template(
    '<g class="hue-$hue"><text x="0" y="$y"><tspan class="prefix">$one</tspan>'
    '<tspan class="both">$two</tspan><tspan class="identifier">$three</tspan></text>'
    '<path class="prefix zeros" d="$prefixZeros"/><path class="prefix ones" d="$prefixOnes"/>'
    '<path class="identifier zeros" d="$zeros"/><path class="identifier ones" d="$ones"/></g>\n'
)


def hueOf(identifier: int) -> int:
    """
    The class of an identifier's colour. One that differs by little has another colour.
    """
    folded = (identifier ^ identifier >> 64) * 0x9E37_79B9_7F4A_7C15
    return (folded >> 32 & 0xFFFF_FFFF) * HUES >> 32


def face(facts: AddressFacts) -> Markup:
    """
    Draw the 128 bits of an address, a group of 16 in each row.

    What is put into the drawing is integers and paths made of them, and it goes through L{fill} as
    everything does.
    """
    return fill(
        _FACE,
        label=facts.canonical,
        prefixBits=bitCount(facts.prefix.length),
        identifierBits=bitCount(facts.identifierBits),
        rows=together(_row(facts, row) for row in range(ADDRESS_BITS // GROUP_BITS)),
        boundary=_boundary(facts.prefix.length),
    )


def _row(facts: AddressFacts, row: int) -> Markup:
    """
    Draw a group: its four hexadecimal digits and its 16 bits. The colour turns from row to row.
    """
    ended = min(max(facts.prefix.length - row * GROUP_BITS, 0), GROUP_BITS)
    whole, rest = divmod(ended, NIBBLE_BITS)
    both = whole + (1 if rest else 0)
    digits = facts.full[row * 5 : row * 5 + 4]
    zeros, ones = [
        [column for column in range(GROUP_BITS) if _bit(facts.address, row, column) == value]
        for value in (0, 1)
    ]
    return fill(
        _ROW,
        hue=(hueOf(facts.identifier) + row - MIDDLE_ROW) % HUES,
        y=row * CELL + CELL // 2,
        one=digits[:whole],
        two=digits[whole:both],
        three=digits[both:],
        prefixZeros=_cells(row, [column for column in zeros if column < ended]),
        prefixOnes=_cells(row, [column for column in ones if column < ended]),
        zeros=_cells(row, [column for column in zeros if column >= ended]),
        ones=_cells(row, [column for column in ones if column >= ended]),
    )


def _bit(address: int, row: int, column: int) -> int:
    """
    A bit of an address, counted from the first.
    """
    return address >> (ADDRESS_BITS - 1 - row * GROUP_BITS - column) & 1


def _left(column: int) -> int:
    """
    Where a cell begins. A gap stands before each hexadecimal digit but the first.
    """
    return LEFT + column * CELL + column // NIBBLE_BITS * NIBBLE_GAP


def _cells(row: int, columns: Iterable[int]) -> str:
    """
    The path of a square in each of the columns.
    """
    y = row * CELL + MARGIN
    side = CELL - 2 * MARGIN
    return "".join(f"M{_left(column) + MARGIN} {y}h{side}v{side}h-{side}z" for column in columns)


def _boundary(length: int) -> str:
    """
    The path of the line at which the prefix ends, with a step where that is inside a row.
    """
    row, column = divmod(length, GROUP_BITS)
    right = _left(GROUP_BITS - 1) + CELL
    if column == 0:
        return f"M0 {row * CELL}H{right}"
    x = _left(column) - (NIBBLE_GAP // 2 if column % NIBBLE_BITS == 0 else 0)
    return f"M{right} {row * CELL}H{x}V{(row + 1) * CELL}H0"


def icon(facts: AddressFacts) -> str:
    """
    The path of the favicon: the last 64 bits, in 8 rows of 8.
    """
    return "".join(
        f"M{bit % 8} {bit // 8}h1" for bit in range(64) if facts.address >> (63 - bit) & 1
    )

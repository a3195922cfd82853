"""
Solicitations that RFC 4861 says to answer, and some that it says to drop: what prefix64, ndppd and
npd6 do with them::

    make bench-correctness               # or: python -m benchmarks.correctness
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from benchmarks.ndp import RESPONDER_CORE, link, waitUntilAnswering
from benchmarks.responders import KINDS, Kind, Responder
from tests.kernel.namespaces import ROUTER_LAYER, ROUTER_LINK_LOCAL, Namespace
from tests.kernel.wire import Wire, solicitation

TARGET = "2001:db8::57:{:x}"
INSIDE = "2001:db8::1"
"""The router's own address in the prefix."""

PATIENCE = 1.5
"""Seconds that a responder has to answer: ndppd asks for the router first."""


def questions() -> Iterator[tuple[str, bool, Any]]:
    """
    What is asked: what it is, whether it is to be answered, and the frame.
    """
    from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
    from scapy.packet import Raw

    def asked(number: int, **options: Any) -> Any:
        return solicitation(TARGET.format(number), **options)

    def but(frame: Any, layer: Any, **fields: Any) -> Any:
        for name, value in fields.items():
            setattr(frame[layer], name, value)
        return frame

    yield "a solicitation to the group", True, asked(1)
    yield "to the target itself (7.3)", True, asked(2, unicast=True)
    yield "to the target itself, without an option", True, asked(3, unicast=True, option=False)
    yield "hop limit 254 (7.1.1)", False, but(asked(4), IPv6, hlim=254)
    yield "a wrong checksum (7.1.1)", False, but(asked(5), ICMPv6ND_NS, cksum=0x1234)
    yield "code 1 (7.1.1)", False, but(asked(6), ICMPv6ND_NS, code=1)
    yield "an option of length 0 (7.1.1)", False, asked(7, option=False) / Raw(b"\x01\0" + bytes(6))
    yield "from `::`, with an option (7.1.1)", False, asked(8, source="::")
    yield "from a multicast source (RFC 4291 2.7)", False, asked(9, source="ff02::99")


def isAnswered(router: Namespace, frame: Any) -> bool:
    """
    Send a solicitation, and see whether an advertisement of its target comes.
    """
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS

    target = frame[ICMPv6ND_NS].tgt
    wire = Wire(router, seconds=PATIENCE)
    try:
        wire.send(frame)
        wire.wait(lambda packet: ICMPv6ND_NA in packet and packet.tgt == target)
        return True
    except AssertionError:
        return False
    finally:
        wire.close()


def examined(kind: Kind) -> list[bool]:
    """
    Which questions a responder answers.
    """
    with link() as (router, server):
        router.ip(f"address add {INSIDE}/128 dev eth0 nodad")
        responder = Responder(kind, server, RESPONDER_CORE)
        try:
            waitUntilAnswering(router, responder)
            return [isAnswered(router, frame) for _, _, frame in questions()]
        finally:
            responder.stop()


def ownAddress(kind: Kind) -> bool:
    """
    Whether the router's own address is answered for after the router has spoken from it.
    """
    with link() as (router, server):
        router.ip(f"address add {INSIDE}/128 dev eth0 nodad")
        responder = Responder(kind, server, RESPONDER_CORE)
        try:
            waitUntilAnswering(router, responder)
            isAnswered(router, solicitation(TARGET.format(1), INSIDE, ROUTER_LAYER))
            stranger = solicitation(INSIDE, ROUTER_LINK_LOCAL, "02:00:00:00:00:77")
            return isAnswered(router, stranger)
        finally:
            responder.stop()


def main() -> None:
    """
    Ask, and print the table.
    """
    argparse.ArgumentParser(description=__doc__.splitlines()[1]).parse_args()
    found = {kind.name: [*examined(kind), ownAddress(kind)] for kind in KINDS}
    asked = [(what, wanted) for what, wanted, _ in questions()]
    asked.append(("for the router's own address, from which it has asked", False))
    print(f"| solicitation | | {' | '.join(found)} |\n| --- | ---{' | ---' * len(found)} |")
    for number, (what, wanted) in enumerate(asked):
        words = ("answered" if answers[number] else "silence" for answers in found.values())
        cells = (w if (w == "answered") is wanted else f"**{w}**" for w in words)
        print(f"| {what} | to be {'answered' if wanted else 'dropped'} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""
The questions as frames, made by scapy: another implementation than the one that prefix64 answers
with, so that the two share no mistake.
"""

from __future__ import annotations

import logging
from typing import Any

from prefix64.addressing import formatAddressBytes
from prefix64.icmpv6.packets import ECHO_HOP_LIMIT, ND_HOP_LIMIT
from prefix64.probe.questions import Question, Step


def writeQuestion(question: Question, attempt: int) -> bytes:
    """
    Write the frame of a question. The first call imports scapy, which takes up to a second.

    @param attempt: which try it is for, from 1: an Echo Request has it as its sequence number.
    """
    inet6, l2 = _scapy()
    isEcho = question.step is Step.ECHO
    link = l2.Ether(src=question.linkSource.hex(":"), dst=question.linkDestination.hex(":"))
    packet = inet6.IPv6(
        src=formatAddressBytes(question.source),
        dst=formatAddressBytes(question.destination),
        hlim=ECHO_HOP_LIMIT if isEcho else ND_HOP_LIMIT,
    )
    message = _echo(inet6, question, attempt) if isEcho else _solicitation(inet6, question)
    return bytes(link / packet / message)


def _echo(inet6: Any, question: Question, attempt: int) -> Any:
    """
    An Echo Request.
    """
    return inet6.ICMPv6EchoRequest(id=question.identifier, seq=attempt, data=question.data)


def _solicitation(inet6: Any, question: Question) -> Any:
    """
    A Neighbor Solicitation. From an address it has our link-layer address, as that of a router has
    (RFC 4861 7.2.2); from the unspecified address it must not (7.1.1).
    """
    message = inet6.ICMPv6ND_NS(tgt=formatAddressBytes(question.target))
    if question.step is Step.DUPLICATE:
        return message
    return message / inet6.ICMPv6NDOptSrcLLAddr(lladdr=question.linkSource.hex(":"))


def _scapy() -> tuple[Any, Any]:
    """
    The modules of scapy that are needed, which say nothing while they are imported.
    """
    logging.getLogger("scapy.runtime").setLevel(logging.CRITICAL)
    from scapy.config import conf

    conf.verb = 0
    from scapy.layers import inet6, l2

    return inet6, l2

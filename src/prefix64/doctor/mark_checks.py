"""
Whether the host's firewall marks what C{--routing fwmark} is to take: facts judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, unknown, warning
from prefix64.doctor.firewall.facts import FirewallFacts
from prefix64.doctor.firewall.marks import UNKNOWN
from prefix64.doctor.firewall.packet import Packet
from prefix64.doctor.firewall.ruleset import Ruleset
from prefix64.doctor.firewall_checks import PACKET_TOO_BIG
from prefix64.routing.entries import Way


def checkMarks(facts: HostFacts, firewall: FirewallFacts) -> Iterator[Finding]:
    """
    New connections to the ports get the mark before their route is looked up, and so does Packet
    Too Big.
    """
    check, steering = "fwmark", facts.settings.steering
    if steering.way is not Way.FWMARK:
        return
    if firewall.ruleset is None:
        yield unknown(check, f"whether mark {steering.numbers.mark} is set cannot be seen: "
                      f"{firewall.why}", *filter(None, [firewall.install]))  # fmt: skip
        return
    for prefix in facts.prefixes:
        for port in facts.ports:
            packet = Packet(facts.interface, prefix, port=port)
            what = f"new connections to port {port} of {prefix}"
            match = f"ip6 daddr {prefix} tcp dport {port}"
            yield _judged(facts, firewall.ruleset, packet, what, match)
        tooBig = Packet(facts.interface, prefix, icmpType=PACKET_TOO_BIG, state="related")
        what = f"Packet Too Big and other errors for {prefix}"
        yield _judged(facts, firewall.ruleset, tooBig, what, f"ip6 daddr {prefix} icmpv6 type 1-4")


def _judged(facts: HostFacts, ruleset: Ruleset, packet: Packet, what: str, match: str) -> Finding:
    """
    Judge what marks a packet may have.

    @param match: the packet, as nft has it.
    """
    check, mark = "fwmark", facts.settings.steering.numbers.mark
    found = ruleset.marks(packet)
    if found == {mark}:
        return ok(check, f"{what} get mark {mark}")
    chain = "{ type filter hook prerouting priority mangle; }"
    advice = (
        f"nft add table inet marks; nft add chain inet marks pre '{chain}'; "
        f"nft add rule inet marks pre iifname {facts.quoted} {match} meta mark set {mark}"
    )
    if mark in found or UNKNOWN in found:
        return warning(
            check,
            f"cannot tell: {what} may get mark {mark}, or not: that depends on the visitor, on a "
            "connection, or on what is not understood",
            "look at what sets marks: nft list ruleset",
        )
    if packet.port is None:
        return warning(
            check,
            f"no rule sets mark {mark} on {what}: large pages hang on paths with a smaller MTU",
            advice,
        )
    return problem(
        check,
        f"no rule sets mark {mark} on {what} before their route is looked up: they are not this "
        "host's own",
        advice,
        "look at what sets marks: nft list ruleset; tc can, too, which is not looked at",
    )

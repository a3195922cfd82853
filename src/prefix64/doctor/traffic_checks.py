"""
What was heard on the link: facts judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prefix64.addressing import formatAddress
from prefix64.doctor.answerer_checks import isAnswered
from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, unknown, warning
from prefix64.doctor.observation import Observation
from prefix64.settings import NdpMode

MOST_NAMED = 3
"""The most addresses that a finding names."""

_PROXY_FROM = 3
"""So many addresses advertised by one machine look like a proxy."""


def checkSolicitations(facts: HostFacts, seen: Observation) -> Finding:
    """
    Solicitations for the prefix arrive, and get answers.
    """
    check, more = "solicitations", _others(seen)
    if not seen.solicitations:
        return _noneCame(facts, seen, more)
    assert seen.example is not None
    target, source, layer = seen.example
    came = (
        f"{seen.solicitations} in {seen.seconds:g} seconds, such as for {formatAddress(target)} "
        f"from {formatAddress(source)} ({layer.hex(':')})"
    )
    if facts.instance is None and facts.settings.ndp is not NdpMode.NONE:
        answered = "" if seen.answered else "; nothing answers, for no prefix64 runs"
        return ok(check, f"{came}{answered}{more}")
    wanted = {address for address in seen.solicited if isAnswered(facts, address)}
    unanswered = sorted(wanted - set(seen.answered))
    if wanted and len(unanswered) == len(wanted) and not seen.answered:
        return _nobodyAnswers(facts, came)
    if unanswered:
        names = ", ".join(map(formatAddress, unanswered[:MOST_NAMED]))
        return warning(
            check,
            f"{came}; {len(unanswered)} of {len(wanted)} addresses were not answered for: {names}",
            "excluded, or another machine's, or lost: --trace says which",
        )
    return ok(check, f"{came}; {_answered(facts, seen, wanted)}{more}")


def _nobodyAnswers(facts: HostFacts, came: str) -> Finding:
    """
    Judge that no solicitation was answered that should have been.
    """
    check = "solicitations"
    if facts.settings.ndp is NdpMode.NONE:
        return problem(
            check,
            f"{came}; none was answered: --ndp none leaves that to another program",
            "start it, and see that it answers for the prefix; or leave --ndp none out; or have "
            "the prefix routed to this host",
        )
    if facts.settings.ndp is NdpMode.KERNEL:
        return problem(
            check,
            f"{came}; none was answered, though the kernel is to be a proxy",
            "see sysctls and proxies above",
        )
    return problem(
        check,
        f"{came}; none was answered, though prefix64 runs",
        "start it with --trace: it says for each packet why it is not answered",
        f"see that it has --prefix {' '.join(map(str, facts.prefixes))}",
    )


def _answered(facts: HostFacts, seen: Observation, wanted: set[int]) -> str:
    """
    What was answered, in words.
    """
    others = len(seen.solicited) - len(wanted)
    if not others:
        return "every address was answered for"
    if facts.hosts is None:
        return f"{len(seen.answered)} of {len(seen.solicited)} addresses were answered for"
    rest = f"{others} have no site of their own, and are not to be answered for"
    return f"every host was answered for; {rest}" if wanted else rest


def _others(seen: Observation) -> str:
    """
    What else was heard, in words.
    """
    counts = {
        "for other addresses": seen.otherSolicitations,
        "malformed": seen.malformed,
        "lost in a full queue": seen.drops,
    }
    return "".join(f"; {number} {what}" for what, number in counts.items() if number)


def _noneCame(facts: HostFacts, seen: Observation, more: str) -> Finding:
    """
    Judge that no solicitation for the prefix was seen.
    """
    check = "solicitations"
    if seen.arriving:
        return ok(
            check,
            f"none in {seen.seconds:g} seconds, but {seen.arriving} packets for the prefix came: "
            f"it is routed to this host, or its addresses are known{more}",
        )
    return unknown(
        check,
        f"none for the prefix was seen in {seen.seconds:g} seconds, nor any packet for it{more}",
        "ping an address of it from outside while this listens; --seconds 60 listens longer",
        "if still nothing comes: the provider routes the prefix elsewhere or not at all, "
        "or a switch filters multicast or knows no such address",
    )


def checkSnooping(seen: Observation) -> Finding:
    """
    An MLD querier means that switches may keep solicitations back.
    """
    check = "snooping"
    arrive = seen.multicast > 0
    if seen.querier is not None:
        who = f"{formatAddress(seen.querier[0])} ({seen.querier[1].hex(':')})"
        if arrive:
            return ok(check, f"{who} sends MLD queries, but solicitations for the prefix arrive")
        return warning(
            check,
            f"{who} sends MLD queries, so switches may snoop: then solicitations for groups that "
            "nobody joined are not delivered; joined are those of the first 1,000 listed hosts",
            "ask the provider to switch MLD snooping off for this port, or to route the prefix "
            "to this host",
            "on a Linux bridge: ip link set dev PORT type bridge_slave mcast_router 2",
        )
    if arrive:
        return ok(check, "solicitations to groups that nobody joined arrive")
    return unknown(
        check,
        f"no MLD query in {seen.seconds:g} seconds; queriers ask about every 125",
        "--seconds 130 sees one, if there is a querier",
    )


def checkOthersOnLink(facts: HostFacts, seen: Observation) -> Iterator[Finding]:
    """
    Other machines that answer for addresses of the prefix, and answers given twice.
    """
    check = "others"
    machines = Counter(seen.advertisedByOthers.values())
    for layer, number in machines.most_common(MOST_NAMED):
        targets = sorted(a for a, by in seen.advertisedByOthers.items() if by == layer)
        names = ", ".join(map(formatAddress, targets[:MOST_NAMED]))
        rest = f" and {number - MOST_NAMED} more" if number > MOST_NAMED else ""
        advice = [f"if they are its own: --exclude {formatAddress(targets[0])}"]
        if number >= _PROXY_FROM:
            advice.append("so many look like a proxy, such as ndppd, there: stop it")
        yield warning(check, f"{layer.hex(':')} answers for {names}{rest}", *advice)
    doubled = [a for a, n in seen.answered.items() if n > seen.solicited[a]]
    if doubled:
        names = ", ".join(map(formatAddress, sorted(doubled)[:MOST_NAMED]))
        yield warning(
            check,
            f"this host answers more than once for {names}: another process answers too",
            "stop it; see proxies above for what runs here",
        )
    if seen.answered and facts.instance is None and facts.settings.ndp is not NdpMode.NONE:
        yield warning(
            check,
            f"this host answers for {formatAddress(min(seen.answered))}, though no prefix64 runs",
            "stop that before prefix64 is started",
        )
    if not machines:
        users = [a for a in seen.usedByOthers if a not in seen.advertisedByOthers]
        names = ", ".join(map(formatAddress, sorted(users)[:MOST_NAMED]))
        also = f"; other machines use {names}: left alone" if users else ""
        yield ok(check, f"no other machine was seen to answer for the prefix{also}")

"""
What would keep prefix64 from starting; and whether what comes in becomes this host's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.addressing import formatAddress
from prefix64.doctor.facts import Arrival, HostFacts
from prefix64.doctor.findings import Finding, ok, problem, warning
from prefix64.doctor.firewall_checks import isTaken
from prefix64.doctor.rule_checks import MOST_NAMED
from prefix64.routing import preflight
from prefix64.routing.entries import Way


def checkStart(facts: HostFacts) -> Iterator[Finding]:
    """
    Nobody else has the table, the priority or the mark, and nobody would be cut off. Beside an
    instance these are in the way of its next start only.
    """
    check = "start"
    say = problem if facts.instance is None else warning
    when = "" if facts.instance is None else ", so that it could not start again"
    texts = list(objections(facts))
    for text in texts[:MOST_NAMED]:
        found, advice = _divided(text)
        yield say(check, f"{found}{when}", *advice)
    if facts.instance is None and not texts:
        yield ok(check, _fine(facts))


def _fine(facts: HostFacts) -> str:
    """
    What there is to say where nothing is in the way.
    """
    if facts.settings.steering.way is Way.NONE:
        return "--routing none needs neither a table nor a priority"
    return "nobody else has the table or the priority, and nobody is cut off"


def objections(facts: HostFacts) -> Iterator[str]:
    """
    What the server itself would say. Whether the host forwards is judged by itself.
    """
    settings, steering = facts.settings, facts.settings.steering
    if (
        settings.steering.way is Way.FWMARK
        and facts.instance is None
        and facts.markedBy is not None
    ):
        yield (
            f"table {steering.numbers.table} is where firewall marks lead already "
            f"{facts.markedBy}: choose another --table"
        )
    intent = preflight.Intent(
        facts.ownership, facts.interface, settings.reachableFromHere, steering
    )
    there = preflight.HostFacts(
        facts.rules, facts.routes, facts.sshPeers, facts.served, facts.marked
    )
    yield from map(str, preflight.objections(intent, there))


def _divided(text: str) -> tuple[str, list[str]]:
    """
    What was found, and what to do, of an error.
    """
    found, _, advice = text.rpartition(": ")
    if ": choose " in text:
        found, _, advice = text.partition(": choose ")
        return found, [f"choose {advice}"]
    return (found, [advice]) if found else (text, [])


def checkArrival(facts: HostFacts) -> Iterator[Finding]:
    """
    The kernel says that a packet which comes in for the prefix is this host's own: asked for where
    something is to make it so.
    """
    way, check = facts.settings.steering.way, "arrival"
    if facts.instance is None and way is not Way.NONE:
        return
    if way is Way.NONE and facts.onlyHosts and not (facts.hosts and facts.hosts.hasHosts):
        yield ok(check, "nothing is to be this host's own: no address has a site of its own")
        return
    everything = way is not Way.PORTS
    looked = [
        one
        for one in facts.arrivals
        if everything or one.port is None or isTaken(facts.settings.steering, one.port)
    ]
    lost = [arrival for arrival in looked if not arrival.isOurs]
    for arrival in lost[:MOST_NAMED]:
        yield problem(check, f"{_packet(facts, arrival)} is {arrival.text}", *_advice(facts))
    if looked and not lost:
        marked = f" with the mark {facts.settings.steering.numbers.mark}"
        texts = dict.fromkeys(formatAddress(arrival.address) for arrival in looked)
        yield ok(
            check,
            f"what comes in on {facts.interface} for {', '.join(list(texts)[:MOST_NAMED])}"
            f"{marked if way is Way.FWMARK else ''} is this host's own",
        )


def _packet(facts: HostFacts, arrival: Arrival) -> str:
    """
    A packet in words.
    """
    port = "" if arrival.port is None else f" to TCP port {arrival.port}"
    return f"what comes in on {facts.interface} for {formatAddress(arrival.address)}{port}"


def _advice(facts: HostFacts) -> Iterator[str]:
    """
    What to do about packets that are not this host's own.
    """
    if facts.settings.steering.way is Way.NONE:
        yield f"--routing none leaves it to you: ip -6 route add local {facts.prefixes[0]} dev lo"
        yield "or leave --routing none out: prefix64 then does so for what comes in there"
    else:
        yield "see rules and routes above: something takes these packets before ours do"

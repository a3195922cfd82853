"""
Policy rules: those of the chosen way, those that a crash left, and somebody else's before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, unknown, warning
from prefix64.routing.entries import LOOPBACK, Rule, Way
from prefix64.routing.facts import FR_ACT_TO_TBL, LOCAL_TABLE, RTN_THROW, RuleFact

MOST_NAMED = 3
"""The most of a kind that a finding names."""

_ENDING_ACTIONS = {6: "blackhole", 7: "unreachable", 8: "prohibit"}


def checkRules(facts: HostFacts) -> Iterator[Finding]:
    """
    Each rule of the chosen way is there once while prefix64 runs, and nobody's comes before them.
    """
    found = [rule.ours for rule in facts.rules if rule.ours is not None]
    if facts.instance is None:
        yield _stopped(facts, found)
    elif facts.settings.steering.way is Way.NONE:
        yield _none(facts, found)
    else:
        yield from _running(facts, found)
    yield from _leftElsewhere(facts, found)
    for early in earlierRules(facts)[:MOST_NAMED]:
        certain = "takes" if not early.conditional else "may take"
        priority = facts.settings.steering.numbers.priority
        yield warning(
            "rules",
            f"a rule that is not ours {certain} packets for the prefix first: {early}",
            f"give it a priority above {priority}: ip -6 rule show priority {early.priority}",
        )


def named(things: Sequence[object]) -> str:
    """
    Name some things: the first few, and how many more.
    """
    rest = len(things) - MOST_NAMED
    return ", ".join(map(str, things[:MOST_NAMED])) + (f" and {rest} more" if rest > 0 else "")


def ofInterface(facts: HostFacts, found: Sequence[Rule]) -> list[Rule]:
    """
    Of the rules of ours those that are for the interface, or for a firewall mark that nobody
    leads who runs, each once.
    """
    inside = [rule for rule in found if rule.interface == facts.interface]
    marks = [rule for rule in found if rule.mark and rule.table not in facts.marked]
    return list(dict.fromkeys(inside + marks))


def _stopped(facts: HostFacts, found: Sequence[Rule]) -> Finding:
    """
    Judge what there is while no prefix64 runs.
    """
    left = ofInterface(facts, found)
    if not left:
        return ok("rules", f"none for {named(facts.prefixes)}, for no prefix64 runs")
    return warning(
        "rules",
        f"{named(left)}: left by a prefix64 that crashed; a start with the same options takes "
        "that over",
        f"or remove it: {facts.cleanup}{numbersOf(left)}",
    )


def numbersOf(rules: Sequence[Rule]) -> str:
    """
    The options of C{prefix64 cleanup} for the numbers of some rules.
    """
    first = next((rule for rule in rules if rule.table), rules[0])
    default = Rule("", first.destination)
    table = "" if first.table in (0, default.table) else f" --table {first.table}"
    priority = first.priority - (first.table == 0)
    return table + ("" if priority == default.priority else f" --priority {priority}")


def _none(facts: HostFacts, found: Sequence[Rule]) -> Finding:
    """
    Judge that there is no rule, which C{--routing none} is about.
    """
    left = [rule for rule in found if rule.interface == facts.interface]
    if left:
        return warning(
            "rules",
            f"{named(left)}: left by an earlier run: the prefix64 that runs has --routing none",
            f"when it has ended: {facts.cleanup}{numbersOf(left)}",
        )
    return ok("rules", "none of ours: --routing none leaves that to others")


def _running(facts: HostFacts, found: Sequence[Rule]) -> Iterator[Finding]:
    """
    Judge the rules beside an instance.
    """
    check = "rules"
    there = [rule for rule in facts.plan.rules if rule in found]
    missing = [rule for rule in facts.plan.rules if rule not in found]
    if missing and not facts.known and not ofInterface(facts, found):
        yield unknown(
            check,
            "none of ours: either the prefix64 that runs has --routing none, or somebody has "
            "deleted them; its command line cannot be read from here",
            "say how it runs: --routing WAY --ndp WHO",
        )
        return
    once = [rule for rule in there if found.count(rule) == 1]
    if once:
        yield ok(check, named(once))
    for rule in there:
        if found.count(rule) > 1:
            yield warning(check, f"{rule} is there {found.count(rule)} times", "ip -6 rule show")
    loops = [rule for rule in missing if rule.drops]
    lost = [rule for rule in missing if not rule.drops]
    if lost:
        yield _missing(facts, lost, found)
    if loops:
        yield problem(
            check,
            f"{named(loops)} is missing: what comes in for other ports goes on to the main table, "
            "and back to the router where this host forwards",
            "prefix64 puts back what somebody deletes within a second, but only once: look at "
            "its log",
        )


def _missing(facts: HostFacts, lost: Sequence[Rule], found: Sequence[Rule]) -> Finding:
    """
    Judge rules that are not there though they are to be.
    """
    verb = "is" if len(lost) == 1 else "are"
    text = f"{named(lost)} {verb} missing, though prefix64 runs"
    others = [rule for rule in found if rule.interface == facts.interface and not rule.drops]
    served = dict.fromkeys(str(rule.destination) for rule in others)
    strangers = [rule for rule in lost if str(rule.destination) not in served]
    if served and strangers and facts.settings.steering.way is not Way.FWMARK:
        return problem(
            "rules",
            f"{text}: it serves {named(list(served))}",
            f"start it with --prefix {strangers[0].destination}",
        )
    return problem(
        "rules",
        text,
        "prefix64 puts back what somebody deletes within a second, but only once: look at its log",
    )


def _leftElsewhere(facts: HostFacts, found: Sequence[Rule]) -> Iterator[Finding]:
    """
    Rules of ours where no prefix64 runs: on other interfaces, and, beside one that runs, for a
    firewall mark.
    """
    served = {rule for rule, _ in facts.elsewhere}
    for rule in dict.fromkeys(found):
        other = rule.interface not in (facts.interface, LOOPBACK, "")
        if other and rule not in served and facts.overlaps(rule.destination):
            yield warning(
                "rules",
                f"{rule} was left on another interface by a prefix64 that crashed; "
                "the next start takes it over",
                f"or remove it: sudo prefix64 cleanup{numbersOf([rule])}",
            )
        elif _isLostMark(facts, rule):
            yield warning(
                "rules",
                f"{rule} was left by a prefix64 that crashed",
                f"remove it: sudo prefix64 cleanup{numbersOf([rule])}",
            )


def _isLostMark(facts: HostFacts, rule: Rule) -> bool:
    """
    Tell whether a rule leads a firewall mark that nobody leads who runs, beside an instance.
    """
    wanted = facts.instance is None or rule in facts.plan.rules
    return bool(rule.mark) and not wanted and rule.table not in facts.marked


def earlierRules(facts: HostFacts) -> list[RuleFact]:
    """
    The rules of others that take packets for the prefixes, coming in on the interface, before ours
    can: those in front of ours, or of a priority at which they would be.
    """
    early: list[RuleFact] = []
    if facts.settings.steering.way is Way.NONE:
        return early
    for rule in facts.rules:
        late = rule.priority > facts.settings.steering.numbers.priority
        if late or rule.ours in facts.plan.rules:
            break
        kernels = rule.table == LOCAL_TABLE and rule.priority == 0
        here = rule.interface in ("", facts.interface) and facts.overlaps(rule.destination)
        if rule.ours is None and here and not kernels and _takes(facts, rule):
            early.append(rule)
    return early


def _takes(facts: HostFacts, rule: RuleFact) -> bool:
    """
    Tell whether a rule comes to an end with packets for the prefixes: by its action, or because its
    table has a route for them.
    """
    if rule.action in _ENDING_ACTIONS:
        return True
    return rule.action == FR_ACT_TO_TBL and any(
        route.table == rule.table
        and route.kind != RTN_THROW
        and route.destination.length > rule.suppressed
        and facts.overlaps(route.destination)
        for route in facts.routes
    )

"""
Who else on this host answers solicitations, which in some ways of running is wanted: facts judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.addressing import formatAddress
from prefix64.doctor.facts import HostFacts, Process
from prefix64.doctor.findings import Finding, ok, problem, unknown, warning
from prefix64.doctor.rule_checks import MOST_NAMED, named
from prefix64.settings import NdpMode


def checkOthersHere(facts: HostFacts) -> Iterator[Finding]:
    """
    Processes and kernel entries of this host that answer.
    """
    found = [*_programs(facts), *_kernel(facts)]
    yield from found
    if not found and facts.settings.ndp is NdpMode.NONE and facts.isEthernet:
        yield unknown(
            "proxies",
            "no ndppd or the like runs here, and --ndp none leaves solicitations to one: right "
            "only where the prefix is routed to this host",
            "start another program that answers, have the prefix routed to this host, or leave "
            "--ndp none out",
        )
    elif not found:
        yield ok("proxies", "no ndppd or the like runs here, and the kernel is no proxy")


def _programs(facts: HostFacts) -> Iterator[Finding]:
    """
    Judge each process that does the same.
    """
    for process in facts.processes[:MOST_NAMED]:
        where = "" if process.here else " (perhaps in another network namespace)"
        name = f"{process.name} runs, process {process.number}{where}"
        if process.onInterface is False:
            yield ok("proxies", f"{name}, on other interfaces")
        elif facts.settings.ndp is NdpMode.NONE:
            yield ok("proxies", f"{name}: it is to answer, for --ndp none leaves that to others")
        else:
            yield _twoAnswerers(facts, process, name)


def _twoAnswerers(facts: HostFacts, process: Process, name: str) -> Finding:
    """
    Judge a process that answers beside prefix64, or will.
    """
    certain = facts.instance is not None and process.here and process.onInterface
    return (problem if certain else warning)(
        "proxies",
        f"{name}: it answers solicitations too",
        f"systemctl disable --now {process.name}; or: kill {process.number}",
        "or leave them to it: --ndp none",
    )


def _kernel(facts: HostFacts) -> Iterator[Finding]:
    """
    Judge the entries of the kernel's proxy.
    """
    mode = facts.settings.ndp
    if mode is NdpMode.KERNEL and facts.instance is not None:
        yield from _ofEachHost(facts)
    elif facts.ourProxies:
        yield warning(
            "proxies",
            f"the kernel is a proxy for {_addresses(facts.ourProxies)}, which a prefix64 that "
            "crashed has left",
            f"the next start removes that; or: {facts.cleanup}",
        )
    others = facts.proxied - facts.ourProxies
    if not others:
        return
    active = facts.switches.proxy and facts.switches.forwardingHere
    wanted = mode is NdpMode.NONE
    yield (ok if bool(active) is wanted else warning)(
        "proxies",
        f"the kernel is a proxy for {_addresses(others)}"
        + ("" if active else ", but not while proxy_ndp or forwarding is off"),
        *([] if wanted and active else [_deletion(facts, min(others))]),
    )


def _deletion(facts: HostFacts, address: int) -> str:
    """
    The command that deletes an entry.
    """
    return f"ip -6 neigh del proxy {formatAddress(address)} dev {facts.quoted}"


def _addresses(addresses: frozenset[int] | set[int]) -> str:
    """
    Name some addresses.
    """
    return named(list(map(formatAddress, sorted(addresses))))


def _ofEachHost(facts: HostFacts) -> Iterator[Finding]:
    """
    Judge whether the kernel is the proxy of every host while prefix64 runs.
    """
    check, ours = "proxies", facts.ourProxies
    if facts.hosts is None:
        yield unknown(
            check,
            f"the kernel is a proxy for {len(ours)} hosts; for which it is to be cannot be read",
            "name the tree of sites: --sites DIRECTORY",
        )
        return
    wanted = {proxy.address for proxy in facts.plan.proxies}
    missing = wanted - ours
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield problem(
            check,
            f"{_addresses(missing)} {verb} not answered for: the kernel is no proxy for them",
            "prefix64 puts back what somebody deletes within 10 seconds, but only once: look at "
            "its log; or the tree of sites has changed since it was read",
        )
    elif wanted:
        yield ok(check, f"the kernel is a proxy for {_addresses(wanted)}, as --ndp kernel wants")
    else:
        yield warning(
            check,
            "--ndp kernel answers for hosts that have sites of their own, and there is none: "
            "nothing is answered for",
            "name some in --sites, or leave --ndp kernel out",
        )


def isAnswered(facts: HostFacts, address: int) -> bool | None:
    """
    Tell whether an address of the prefixes is one that is to be answered for.

    @return: L{None} if that cannot be told.
    """
    if not facts.onlyHosts or facts.settings.ndp is NdpMode.NONE:
        return True
    return None if facts.hosts is None else facts.hosts.isListed(address)

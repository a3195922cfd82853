"""
Whether HTTP is listened for, and let in by the host's firewall: facts judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, unknown, warning
from prefix64.doctor.firewall.ends import Passage, Place
from prefix64.doctor.firewall.facts import FirewallFacts
from prefix64.doctor.firewall.packet import Packet
from prefix64.doctor.firewall.ruleset import Ruleset
from prefix64.routing.entries import SERVICE_PROTOCOLS, Steering, Way

PACKET_TOO_BIG = 2
_MOST_PARTS = 3
_EXAMPLE_PORT = 80


def checkListening(facts: HostFacts) -> Iterator[Finding]:
    """
    Somebody listens on each port while prefix64 runs, and nobody while it does not.
    """
    check, steering = "http", facts.settings.steering
    for port in facts.ports:
        if steering.way is Way.PORTS and not isTaken(steering, port):
            yield problem(
                check,
                f"port {port} is in none of --ports {','.join(map(str, steering.services))}: "
                "nobody reaches it",
                f"add tcp:{port} to --ports",
            )
            continue
        if facts.listening is None:
            yield unknown(check, f"whether port {port} is listened on cannot be read")
        elif facts.instance is not None and port in facts.listening:
            yield ok(check, f"[::]:{port} is listened on")
        elif facts.instance is not None:
            yield problem(
                check,
                f"nobody listens on [::]:{port}",
                f"start prefix64 with --http {port}, or name here the port that it has",
            )
        elif port in facts.listening:
            yield warning(
                check,
                f"[::]:{port} is in use, so prefix64 will not start",
                f"ss -6ltnp 'sport = :{port}' shows by whom; stop it, or: --http none",
            )
        else:
            yield ok(check, f"port {port} is free")


def isTaken(steering: Steering, port: int) -> bool:
    """
    Tell whether TCP to a port is among the services that are taken.
    """
    return any(one.has(SERVICE_PROTOCOLS["tcp"], port) for one in steering.services)


def checkFirewall(facts: HostFacts, firewall: FirewallFacts) -> Iterator[Finding]:
    """
    Connections to the ports come in, and so does Packet Too Big.
    """
    check = "firewall"
    if firewall.ruleset is None:
        advice = (firewall.install,) if firewall.install else ()
        yield unknown(check, f"the rules cannot be read: {firewall.why}", *advice)
        return
    for prefix in facts.prefixes:
        for port in facts.ports:
            packet = Packet(facts.interface, prefix, port=port)
            what = f"new connections to port {port} of {prefix}"
            yield _tcp(packet, firewall.ruleset.passage(packet), firewall, what)
    yield from _forwarded(facts, firewall, firewall.ruleset)
    if facts.ports:
        packet = Packet(
            facts.interface, facts.prefixes[0], icmpType=PACKET_TOO_BIG, state="related"
        )
        yield _tooBig(firewall.ruleset.passage(packet), firewall)


def _tcp(
    packet: Packet, passage: Passage, firewall: FirewallFacts, what: str, verb: str = "in"
) -> Finding:
    """
    Judge what becomes of a new connection.

    @param what: the packets, in words.
    @param verb: where to they are let.
    """
    check = "firewall"
    if not passage.places:
        return ok(check, f"lets {verb} {what}")
    place = passage.places[0]
    if passage.certain:
        port = "" if packet.port is None else f" tcp dport {packet.port}"
        return problem(
            check, f"{what} are dropped by {_name(place, firewall)}",
            *_letIn(place, f"ip6 daddr {packet.destination}{port}"),
        )  # fmt: skip
    maybe = "may be dropped by" if place.drops else "may go elsewhere by"
    return warning(
        check,
        f"cannot tell: {what} {maybe} {_name(place, firewall)}",
        f"look at this rule: {_show(place)}",
    )


def _forwarded(facts: HostFacts, firewall: FirewallFacts, ruleset: Ruleset) -> Iterator[Finding]:
    """
    Judge what becomes of connections to what lives behind this host.
    """
    settings, routed = facts.settings, facts.ownership.routed
    for part in (routed if settings.followsRoutes else settings.behind)[:_MOST_PARTS]:
        packet = Packet(facts.interface, part, port=_EXAMPLE_PORT)
        passage = ruleset.passage(packet, "forward")
        what = f"new connections to {part} (such as to port {_EXAMPLE_PORT}) behind this host"
        yield _tcp(packet, passage, firewall, what, "through")


def _tooBig(passage: Passage, firewall: FirewallFacts) -> Finding:
    """
    Judge what becomes of Packet Too Big, without which large pages hang.
    """
    check = "firewall"
    if not passage.places:
        return ok(check, "lets in Packet Too Big")
    place = passage.places[0]
    certain = "is" if passage.certain else "may be"
    return warning(
        check,
        f"Packet Too Big {certain} dropped by {_name(place, firewall)}: large pages hang on paths "
        "with a smaller MTU",
        *_letIn(place, "icmpv6 type packet-too-big"),
    )


def _name(place: Place, firewall: FirewallFacts) -> str:
    """
    Name a rule or a policy, in nft's own words where they are known.
    """
    chain = f"chain {place.family} {place.table} {place.chain}"
    if place.table.startswith("ip6tables-"):
        chain = f"chain {place.chain} of {place.table}"
    if place.handle is None:
        return f"the policy of {chain}"
    text = firewall.texts.get((place.family, place.table, place.handle), str(place.handle))
    odd = "" if place.drops or place.what == "not understood" else f" ({place.what})"
    return f"the rule '{text[:200]}'{odd} in {chain}"


def _show(place: Place) -> str:
    """
    The command that shows a chain.
    """
    if place.table.startswith("ip6tables-"):
        return f"{place.table} -S {place.chain}"
    return f"nft -a list chain {place.family} {place.table} {place.chain}"


def _letIn(place: Place, match: str) -> Iterator[str]:
    """
    How to let packets in, in the words of the program that owns the rules.

    @param match: as nft has it.
    """
    port = match.rpartition("tcp dport ")[2] if "dport" in match else ""
    if place.table == "firewalld" and port:
        yield f"firewall-cmd --add-port={port}/tcp"
    elif place.chain.startswith("ufw6-") and port:
        yield f"ufw allow {port}/tcp"
    elif place.table.startswith("ip6tables-"):
        wanted = f"-p tcp --dport {port}" if port else "-p icmpv6 --icmpv6-type packet-too-big"
        yield f"{place.table} -I {place.chain} {wanted} -j ACCEPT"
    else:
        yield f"nft insert rule {place.family} {place.table} {place.chain} {match} accept"
    yield f"see the rules: {_show(place)}"

"""
The interface, its link, the privileges, and whether a prefix64 runs: facts judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.addressing import Prefix, formatAddress
from prefix64.doctor.facts import HostFacts, Instance, LinkFact
from prefix64.doctor.findings import Finding, ok, problem, unknown, warning
from prefix64.doctor.ways import contradictions, words
from prefix64.options.values import PORTS
from prefix64.privileges import CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW
from prefix64.routing.entries import LOOPBACK
from prefix64.settings import NdpMode

LINK_LOCAL = Prefix(0xFE80 << 112, 10)

_CAPABILITIES = {
    CAP_NET_ADMIN: "CAP_NET_ADMIN",
    CAP_NET_RAW: "CAP_NET_RAW",
    CAP_NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE",
}


def checkInterface(facts: HostFacts) -> Finding:
    """
    It exists, is up, has a carrier and IPv6, and takes its packets itself.
    """
    check, name, fact = "interface", facts.interface, facts.link
    if fact is None:
        there = ", ".join(facts.interfaces)
        return problem(check, f"there is no interface {name!r}; there are: {there}")
    if fact.link.portOf in PORTS:
        return problem(
            check,
            f"{name} is a port of the {fact.link.portOf} {fact.master}, which takes its packets",
            f"serve the {fact.link.portOf} itself: --iface {fact.master}",
        )
    if not fact.link.up:
        return problem(check, f"{name} is down", f"ip link set {facts.quoted} up")
    if not fact.carrier:
        return problem(
            check,
            f"{name} is up, but has no carrier: nothing is at its other end",
            "look at the cable or the virtual switch",
        )
    if facts.switches.disabledHere:
        return problem(
            check,
            f"IPv6 is off on {name}",
            f"sysctl -w net/ipv6/conf/{facts.quoted}/disable_ipv6=0",
        )
    if facts.switches.disabledHere is None:
        return problem(check, f"{name} has no IPv6: is the ipv6 module off, or the MTU below 1280?")
    return ok(check, f"{name} is up and has a carrier")


def checkLink(facts: HostFacts) -> Finding:
    """
    Whether solicitations are a matter here at all, and the addresses that they need.
    """
    check, fact = "link", facts.link
    assert fact is not None
    if not facts.isEthernet:
        return ok(
            check,
            f"{facts.interface} is not Ethernet (type {fact.link.hardwareType}): "
            "no solicitations, and none are needed; the kernel answers ping",
        )
    if not any(fact.link.linkLayerAddress):
        return problem(check, f"{facts.interface} has no link-layer address")
    return _linkLocal(facts, fact)


def _linkLocal(facts: HostFacts, fact: LinkFact) -> Finding:
    """
    Judge the link-local addresses of an Ethernet interface. One that is down, has no carrier or no
    IPv6 has none, and that is said already.
    """
    name = facts.interface
    check, layer = "link", fact.link.linkLayerAddress.hex(":")
    found = [address for address in fact.addresses if address.address in LINK_LOCAL]
    usable = [address for address in found if not address.failed and not address.tentative]
    if usable:
        return ok(check, f"Ethernet, {layer}, {formatAddress(usable[0].address)}")
    if any(address.failed for address in found):
        failed = formatAddress(next(a.address for a in found if a.failed))
        return problem(
            check,
            f"{failed} is somebody else's too (dadfailed): the host cannot ask for its router",
            f"give {name} another link-layer address, or another link-local address",
        )
    if found:
        return warning(
            check,
            f"{formatAddress(found[0].address)} is tentative: duplicate address detection goes on",
            "wait a second and look again",
        )
    if not (fact.link.up and fact.carrier) or not facts.hasIpv6:
        return unknown(
            check,
            f"{name} has no link-local address, as long as the above is so",
            "mend that, and look again",
        )
    return problem(
        check,
        f"{name} has no link-local address: the host cannot ask for its router",
        f"ip link set {facts.quoted} addrgenmode eui64, then down and up; or: "
        f"ip -6 address add fe80::64/64 dev {facts.quoted}",
    )


def checkPrivileges(facts: HostFacts) -> Finding:
    """
    What the running prefix64 may do; without one, what this process may do.
    """
    check, ethernet = "privileges", facts.isEthernet or facts.link is None
    wanted = [CAP_NET_ADMIN] if facts.settings.changesKernel(ethernet) else []
    wanted += [CAP_NET_RAW] if facts.settings.hasPackets(ethernet) else []
    if facts.instance is None and any(port < facts.lowestPort for port in facts.ports):
        wanted.append(CAP_NET_BIND_SERVICE)
    who, has = "this process", facts.capabilities
    if facts.instance is not None:
        if facts.instance.capabilities is None:
            return unknown(check, "what prefix64 may do cannot be read from here")
        who, has = "prefix64", facts.instance.capabilities
    missing = [_CAPABILITIES[number] for number in wanted if not has >> number & 1]
    if not wanted:
        return ok(check, f"{who} needs none")
    if not missing:
        return ok(check, f"{who} has {', '.join(_CAPABILITIES[number] for number in wanted)}")
    what = f"{who} lacks {' and '.join(missing)}"
    if facts.instance is not None:
        return problem(check, what, "run it as root, or with AmbientCapabilities= in its unit")
    return warning(
        check, f"{what}: not everything can be seen, nor could prefix64 start", "sudo prefix64 ..."
    )


def checkInstance(facts: HostFacts) -> Iterator[Finding]:
    """
    Whether a prefix64 runs here, in the way that is asked for; and none that serves the prefix
    elsewhere.
    """
    check, options = "instance", list(words(facts.settings))
    if facts.instance is not None:
        yield from _running(facts, facts.instance)
    else:
        served = [f"--prefix {prefix}" for prefix in facts.prefixes]
        served += [f"--exclude {block}" for block in facts.settings.excluded]
        yield problem(
            check,
            f"no prefix64 runs on {facts.interface}",
            " ".join(["sudo twistd -n prefix64 --iface", facts.quoted, *served, *options]),
        )
    for rule, holder in facts.elsewhere:
        yield problem(
            check,
            f"{rule.destination} is served on {rule.interface}, {holder}",
            f"stop that one, or have it serve another prefix; on {facts.interface} it cannot be",
        )


def _running(facts: HostFacts, instance: Instance) -> Iterator[Finding]:
    """
    Judge the one that runs.
    """
    check, text = "instance", f"{facts.interface} is served {instance.holder}"
    if instance.settings is None:
        yield ok(check, f"{text}; how it was started cannot be read from here")
        return
    options = " ".join(words(instance.settings))
    yield ok(check, text + (f", with {options}" if options else ""))
    other = contradictions(facts.settings, instance.settings)
    if other:
        yield warning(
            check,
            f"it runs with {', '.join(other)}, and not as is asked for here",
            "leave such options out here: how it runs is known; or start it with them",
        )


def checkMulticast(facts: HostFacts) -> Iterator[Finding]:
    """
    The interface hands on the solicitations for groups that nobody here joined.
    """
    check, fact = "allmulti", facts.link
    assert fact is not None
    if not facts.isEthernet or facts.interface == LOOPBACK:
        return
    if facts.settings.ndp is not NdpMode.PROTOCOL:
        yield ok(check, f"not needed: --ndp {facts.settings.ndp.value}")
    elif fact.receivesAllMulticast is None:
        yield unknown(check, "whether the interface receives all multicast cannot be read")
    elif fact.receivesAllMulticast:
        yield ok(check, f"{facts.interface} receives all multicast")
    elif facts.instance is None:
        yield ok(check, "off; prefix64 switches it on for as long as it runs")
    elif not facts.known:
        yield unknown(
            check,
            f"{facts.interface} does not receive all multicast: right only with --ndp kernel or "
            "none; how prefix64 was started cannot be read from here",
            "say how it runs: --routing WAY --ndp WHO",
        )
    else:
        yield problem(
            check,
            f"{facts.interface} does not receive all multicast, though prefix64 runs: "
            "it has no packet socket there",
            "look at its log, and start it again",
        )
    if fact.snooping:
        yield warning(
            "snooping",
            f"{facts.interface} is a bridge with MLD snooping: solicitations go only where "
            "their group was joined, and of the prefix only those of listed hosts are",
            f"ip link set {facts.quoted} type bridge mcast_snooping 0",
        )

"""
What is known of the host, as values. L{None} stands for what could not be read.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from prefix64.addressing import Prefix
from prefix64.link.packet_socket import ETHERNET
from prefix64.routing.entries import Route, Rule
from prefix64.routing.facts import RouteFact, RuleFact
from prefix64.routing.messages import Link
from prefix64.routing.plan import RoutingPlan


@dataclass(frozen=True)
class AddressFact:
    """
    An address of the interface.

    @ivar tentative: whether duplicate address detection has not come to its end.
    @ivar failed: whether somebody else was found to have it.
    """

    address: int
    tentative: bool = False
    failed: bool = False


@dataclass(frozen=True)
class LinkFact:
    """
    The interface.

    @ivar carrier: whether the link is there (LOWER_UP).
    @ivar receivesAllMulticast: whether ALLMULTI or promiscuous mode is on.
    @ivar snooping: whether it is a Linux bridge with MLD snooping.
    @ivar master: the name of what it is a port of, or the empty string.
    """

    link: Link
    carrier: bool = True
    receivesAllMulticast: bool | None = None
    snooping: bool = False
    master: str = ""
    addresses: tuple[AddressFact, ...] = ()


@dataclass(frozen=True)
class Process:
    """
    A process that answers solicitations too.

    @ivar here: whether it is in this network namespace; L{None} where that could not be read.
    """

    number: int
    name: str
    here: bool | None = True


@dataclass(frozen=True)
class Instance:
    """
    The prefix64 that runs on the interface.

    @ivar holder: in words, by which process.
    @ivar capabilities: its effective set, a bit for each; L{None} where it could not be read.
    """

    holder: str
    capabilities: int | None = None


@dataclass(frozen=True)
class Switches:
    """
    The sysctls below net.ipv6 that matter. L{None} for one that is not there.
    """

    disabledHere: int | None = 0
    disabledEverywhere: int | None = 0
    forwarding: int | None = 0
    acceptRouterAdvertisements: int | None = 1
    proxy: int | None = 0
    neighbors: int = 0
    mostNeighbors: int | None = None


@dataclass(frozen=True)
class HostFacts:
    """
    The host at one moment.

    @ivar interface: the name that was asked for.
    @ivar link: the interface; L{None} if there is none of that name.
    @ivar instance: the prefix64 that runs on it, or L{None}.
    @ivar elsewhere: rules by which a running prefix64 serves the prefix on another interface, with
        that one's holder.
    @ivar rules: in the order in which the kernel goes through them.
    @ivar plan: what prefix64 would have in the kernel.
    @ivar ourRoutes: what is there of ours, inside the prefixes.
    @ivar listening: for each port that is to be served, whether somebody listens on it at every
        address.
    @ivar capabilities: what this very process may do.
    @ivar lowestPort: the first port that needs no privilege.
    """

    interface: str
    prefixes: tuple[Prefix, ...]
    link: LinkFact | None
    interfaces: tuple[str, ...] = ()
    instance: Instance | None = None
    elsewhere: tuple[tuple[Rule, str], ...] = ()
    rules: tuple[RuleFact, ...] = ()
    routes: tuple[RouteFact, ...] = ()
    plan: RoutingPlan = field(default_factory=lambda: RoutingPlan((), ()))
    ourRoutes: frozenset[Route] = frozenset()
    switches: Switches = field(default_factory=Switches)
    ports: tuple[int, ...] = ()
    listening: frozenset[int] | None = frozenset()
    proxied: frozenset[int] = frozenset()
    processes: tuple[Process, ...] = ()
    capabilities: int = 0
    lowestPort: int = 1024

    @property
    def isEthernet(self) -> bool:
        """Whether the interface has solicitations."""
        return self.link is not None and self.link.link.hardwareType == ETHERNET

    @property
    def hasIpv6(self) -> bool:
        """Whether IPv6 is on, on the interface."""
        return self.switches.disabledHere == 0

    @property
    def quoted(self) -> str:
        """The interface's name, for a command that is pasted into a shell."""
        return shlex.quote(self.interface)

    def isInside(self, address: int) -> bool:
        """
        Tell whether an address is in one of the prefixes.
        """
        return any(address in prefix for prefix in self.prefixes)

    def overlaps(self, destination: Prefix) -> bool:
        """
        Tell whether a destination has addresses of the prefixes.
        """
        return any(prefix.overlaps(destination) for prefix in self.prefixes)

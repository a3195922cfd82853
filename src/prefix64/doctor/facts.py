"""
What is known of the host, as values. L{None} stands for what could not be read.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from prefix64.addressing import Prefix
from prefix64.hosts.model import Host
from prefix64.hosts.table import HostTable
from prefix64.icmpv6.policies import RespondPolicy
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.ownership import Ownership
from prefix64.routing.entries import Route, Rule
from prefix64.routing.facts import RouteFact, RuleFact
from prefix64.routing.plan import RoutingPlan
from prefix64.settings import LinkSettings, NdpMode


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
    @ivar onInterface: whether it has a packet socket on the interface; L{None} where that could
        not be read, or it has none anywhere.
    """

    number: int
    name: str
    here: bool | None = True
    onInterface: bool | None = None


@dataclass(frozen=True)
class Instance:
    """
    The prefix64 that runs on the interface.

    @ivar holder: in words, by which process.
    @ivar capabilities: its effective set, a bit for each; L{None} where it could not be read.
    @ivar settings: what its command line says of the interface; L{None} where it could not be read.
    @ivar ports: of HTTP, by its command line.
    @ivar hosts: the rules of its tree of sites; L{None} where they could not be read.
    """

    holder: str
    capabilities: int | None = None
    settings: LinkSettings | None = None
    ports: tuple[int, ...] = ()
    hosts: tuple[Host, ...] | None = None


@dataclass(frozen=True)
class Switches:
    """
    The sysctls below net.ipv6 that matter. L{None} for one that is not there.

    @ivar forwarding: C{all.forwarding}.
    @ivar forwardingHere: that of the interface, which says whether it is a router's.
    @ivar forced: C{force_forwarding} of the interface (Linux 6.17).
    @ivar proxy: whether C{proxy_ndp} is on, for the interface or for all.
    """

    disabledHere: int | None = 0
    disabledEverywhere: int | None = 0
    forwarding: int | None = 0
    forwardingHere: int | None = 0
    forced: int | None = None
    acceptRouterAdvertisements: int | None = 1
    proxy: int | None = 0
    neighbors: int = 0
    mostNeighbors: int | None = None


@dataclass(frozen=True)
class Arrival:
    """
    What the kernel says it would do with a packet that comes in.

    @ivar port: of TCP, or L{None}.
    @ivar isOurs: whether it is this host's own.
    @ivar text: what becomes of it, in words.
    """

    address: int
    port: int | None
    isOurs: bool
    text: str


@dataclass(frozen=True)
class HostFacts:
    """
    The host at one moment.

    @ivar settings: how prefix64 runs, or is to run, on the interface.
    @ivar known: whether that is certain: by the user's words, or by those of the one that runs.
    @ivar link: the interface; L{None} if there is none of that name.
    @ivar instance: the prefix64 that runs on it, or L{None}.
    @ivar elsewhere: rules by which a running prefix64 serves the prefix on another interface, with
        that one's holder.
    @ivar served: the interfaces that running instances serve.
    @ivar marked: the tables to which somebody leads firewall marks who runs.
    @ivar markedBy: who leads them to our table, in words; L{None} if nobody does.
    @ivar rules: in the order in which the kernel goes through them.
    @ivar ownership: whose each address is now.
    @ivar plan: what prefix64 would have in the kernel.
    @ivar ourRoutes: what is there of ours, inside the prefixes, in whichever table.
    @ivar arrivals: what becomes of packets to an example address.
    @ivar listening: for each port that is to be served, whether somebody listens on it at every
        address.
    @ivar hosts: which addresses have sites of their own.
    @ivar proxied: the addresses inside the prefixes for which the kernel is a proxy.
    @ivar ourProxies: those of them that have our protocol.
    @ivar changed: the switches that an earlier run changed and did not put back, as C{sysctl}
        would set them back.
    @ivar sshPeers: those who are connected to this host by ssh.
    @ivar capabilities: what this very process may do.
    @ivar lowestPort: the first port that needs no privilege.
    """

    settings: LinkSettings
    link: LinkFact | None
    known: bool = True
    interfaces: tuple[str, ...] = ()
    instance: Instance | None = None
    elsewhere: tuple[tuple[Rule, str], ...] = ()
    served: frozenset[str] = frozenset()
    marked: frozenset[int] = frozenset()
    markedBy: str | None = None
    rules: tuple[RuleFact, ...] = ()
    routes: tuple[RouteFact, ...] = ()
    ownership: Ownership = field(default_factory=lambda: Ownership(()))
    plan: RoutingPlan = field(default_factory=lambda: RoutingPlan((), ()))
    ourRoutes: frozenset[Route] = frozenset()
    arrivals: tuple[Arrival, ...] = ()
    switches: Switches = field(default_factory=Switches)
    ports: tuple[int, ...] = ()
    listening: frozenset[int] | None = frozenset()
    hosts: HostTable | None = None
    proxied: frozenset[int] = frozenset()
    ourProxies: frozenset[int] = frozenset()
    changed: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    sshPeers: frozenset[int] = frozenset()
    capabilities: int = 0
    lowestPort: int = 1024

    @property
    def interface(self) -> str:
        """The name of the interface that was asked for."""
        return self.settings.interface

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """What is to be served."""
        return self.settings.prefixes

    @property
    def isEthernet(self) -> bool:
        """Whether the interface has solicitations."""
        return self.link is not None and self.link.link.hardwareType == ETHERNET

    @property
    def hasIpv6(self) -> bool:
        """Whether IPv6 is on, on the interface."""
        return self.switches.disabledHere == 0

    @property
    def onlyHosts(self) -> bool:
        """Whether only addresses with sites of their own are answered for."""
        return self.settings.ndp is NdpMode.KERNEL or self.settings.respond is RespondPolicy.HOSTS

    @property
    def forwards(self) -> bool:
        """Whether this host forwards what comes in on the interface."""
        return bool(self.switches.forwarding or self.switches.forced)

    @property
    def quoted(self) -> str:
        """The interface's name, for a command that is pasted into a shell."""
        return shlex.quote(self.interface)

    @property
    def cleanup(self) -> str:
        """The command that removes what a prefix64 that crashed has left."""
        return f"sudo prefix64 cleanup --iface {self.quoted}"

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

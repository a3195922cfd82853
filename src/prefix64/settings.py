"""
What the user asked for, checked, as one value.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from prefix64.addressing import Prefix
from prefix64.hosts.directory import SitesDirectory
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy, RouterFlag
from prefix64.option_text import Origin
from prefix64.routing.entries import LOOPBACK, Steering, Way

DEFAULT_PREFIX = Prefix(0x20010DB8 << 96, 64)
"""2001:db8::/64, of the prefix for documentation (RFC 3849)."""


class NdpMode(enum.Enum):
    """
    Who answers Neighbor Solicitations: the protocol, the kernel's own proxy, or somebody else.
    """

    PROTOCOL = "protocol"
    KERNEL = "kernel"
    NONE = "none"


class EchoMode(enum.Enum):
    """
    Who answers ping.
    """

    PROTOCOL = "protocol"
    KERNEL = "kernel"
    NONE = "none"


@dataclass(frozen=True)
class Launch:
    """
    How twistd was started.

    @ivar daemonized: whether it leaves the terminal.
    @ivar logsToTerminal: whether its log is what the terminal shows.
    @ivar pidFile: the path of its pid file, or the empty string.
    """

    daemonized: bool = False
    logsToTerminal: bool = True
    pidFile: str = ""


@dataclass(frozen=True)
class LinkSettings:
    """
    The settings of one interface.

    @ivar interface: the name of the interface that the prefixes arrive on.
    @ivar prefixes: what is served; they do not overlap.
    @ivar excluded: what is never ours.
    @ivar behind: what lives behind this host, and is answered for while it is routed there.
    @ivar followsRoutes: whether everything lives behind this host that it routes to another
        interface.
    @ivar steering: how packets become this host's own.
    @ivar ndp: who answers Neighbor Solicitations.
    @ivar echo: who answers ping; L{None} for the default: the protocol on Ethernet, where it
        answers solicitations too, else the kernel.
    @ivar dad: what a duplicate address probe for one of our addresses gets.
    @ivar advertisementSource: where advertisements come from.
    @ivar respond: which addresses are answered for.
    @ivar yields: whether an address with a host rule is left to another machine that uses it.
    @ivar rate: the most answers a second in all; 0 is no limit.
    @ivar sourceRate: the most answers a second to each source link-layer address; 0 is no limit.
    @ivar local: whether this host itself reaches the prefixes.
    @ivar trace: whether there is a line in the log for each packet.
    @ivar origin: where the options were given, for errors; it makes no difference else.
    """

    interface: str = LOOPBACK
    prefixes: tuple[Prefix, ...] = (DEFAULT_PREFIX,)
    excluded: tuple[Prefix, ...] = ()
    behind: tuple[Prefix, ...] = ()
    followsRoutes: bool = False
    steering: Steering = field(default_factory=Steering)
    ndp: NdpMode = NdpMode.PROTOCOL
    echo: EchoMode | None = None
    dad: DadPolicy = DadPolicy.AUTO
    advertisementSource: AdvertisementSource = AdvertisementSource.TARGET
    routerFlag: RouterFlag = RouterFlag.NEVER
    respond: RespondPolicy = RespondPolicy.ALL
    yields: bool = False
    rate: int = 0
    sourceRate: int = 0
    local: bool = False
    trace: bool = False
    origin: Origin = field(default_factory=Origin, compare=False)

    @property
    def reachableFromHere(self) -> bool:
        """Whether this host reaches the prefixes: it was asked for, or the interface is lo."""
        return self.local or self.interface == LOOPBACK

    @property
    def usesProxies(self) -> bool:
        """Whether the kernel is to answer solicitations."""
        return self.ndp is NdpMode.KERNEL

    @property
    def forwardWords(self) -> str:
        """What was given to C{--forward}, for an error; or the empty string."""
        words = [str(block) for block in self.behind] + (["auto"] if self.followsRoutes else [])
        return ", ".join(words)

    def hasPackets(self, ethernet: bool) -> bool:
        """
        Tell whether frames are answered by the protocol.

        @param ethernet: whether the interface has solicitations.
        """
        echo = self.echoMode(ethernet) is EchoMode.PROTOCOL
        return ethernet and (self.ndp is NdpMode.PROTOCOL or echo)

    def changesKernel(self, ethernet: bool) -> bool:
        """
        Tell whether anything is changed in the kernel.

        @param ethernet: whether the interface has solicitations.
        """
        changes = self.steering.way is not Way.NONE or self.ndp is NdpMode.KERNEL
        return changes or self.echoMode(ethernet) is not EchoMode.KERNEL

    def echoMode(self, ethernet: bool) -> EchoMode:
        """
        Who answers ping.

        @param ethernet: whether the interface has solicitations.
        """
        protocol = ethernet and self.ndp is NdpMode.PROTOCOL
        return self.echo or (EchoMode.PROTOCOL if protocol else EchoMode.KERNEL)


@dataclass(frozen=True)
class Settings:
    """
    The settings of one process.

    @ivar links: of each interface that is served; no two are the same.
    @ivar http: where HTTP listens: ports, and descriptions of endpoints.
    @ivar sites: what the tree of sites holds.
    @ivar stateDirectory: absolute path.
    @ivar accessLog: C{-}, C{none} or an absolute path.
    @ivar launch: how twistd was started.
    @ivar origin: where the options were given, for errors; it makes no difference else.
    """

    links: tuple[LinkSettings, ...] = field(default_factory=lambda: (LinkSettings(),))
    http: tuple[int | str, ...] = (80,)
    sites: SitesDirectory = field(default_factory=SitesDirectory)
    stateDirectory: str = ""
    accessLog: str = "-"
    launch: Launch = field(default_factory=Launch)
    origin: Origin = field(default_factory=Origin, compare=False)

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """What is served, on all interfaces."""
        return tuple(prefix for link in self.links for prefix in link.prefixes)

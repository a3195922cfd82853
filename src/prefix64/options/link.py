"""
The options of one interface, from texts to its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefix64.errors import OptionError
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy, RouterFlag
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.option_text import OptionText
from prefix64.options.routing import forwarded, steering
from prefix64.options.values import answersASecond, choice, excludedBlocks, servedPrefixes
from prefix64.routing.entries import LOOPBACK, Way
from prefix64.settings import EchoMode, LinkSettings, NdpMode

DEFAULTS: Mapping[str, str] = {
    "iface": LOOPBACK,
    "routing": "input",
    "ndp": "protocol",
    "dad": "auto",
    "na-source": "target",
    "na-router": "0",
    "respond": "all",
    "rate": "0",
    "rate-source": "0",
}
"""What an option is that is not given, by its name."""

LISTS = ("prefix", "exclude", "forward")
"""The options that may be given again."""

FLAGS = ("yield", "local", "trace")

WORDS = ("iface", "routing", "ports", "table", "priority", "fwmark", "ndp", "echo", "dad",
         "na-source", "na-router", "respond", "rate", "rate-source")  # fmt: skip
"""The options that have one value."""


def linkSettings(given: Mapping[str, Any]) -> LinkSettings:
    """
    Read the options of one interface.

    @param given: texts by the names of options, lists of texts for L{LISTS}, booleans for L{FLAGS};
        what was not given is missing, or L{None}.
    @raise OptionError: one is wrong, or contradicts another.
    """
    texts = {**DEFAULTS, **{name: value for name, value in given.items() if value is not None}}
    prefixes = servedPrefixes(texts.get("prefix", ()), texts["iface"])
    excluded = excludedBlocks(texts.get("exclude", ()), prefixes)
    behind, followsRoutes = forwarded(texts.get("forward", ()), prefixes, excluded)
    settings = LinkSettings(
        interface=texts["iface"],
        prefixes=prefixes,
        excluded=excluded,
        behind=behind,
        followsRoutes=followsRoutes,
        steering=steering(texts),
        ndp=choice("ndp", NdpMode, texts["ndp"]),
        echo=choice("echo", EchoMode, texts["echo"]) if "echo" in texts else None,
        dad=choice("dad", DadPolicy, texts["dad"]),
        advertisementSource=choice("na-source", AdvertisementSource, texts["na-source"]),
        routerFlag=choice("na-router", RouterFlag, texts["na-router"]),
        respond=choice("respond", RespondPolicy, texts["respond"]),
        yields=bool(texts.get("yield")),
        rate=answersASecond("rate", texts["rate"]),
        sourceRate=answersASecond("rate-source", texts["rate-source"]),
        local=bool(texts.get("local")),
        trace=bool(texts.get("trace")),
    )
    _checkWays(settings)
    return settings


def _checkWays(settings: LinkSettings) -> None:
    """
    See that what steers packets goes with the rest.

    @raise OptionError: it does not.
    """
    way = settings.steering.way
    if settings.local and way in (Way.FWMARK, Way.NONE):
        raise OptionError(
            OptionText(
                "{local} contradicts {routing:{0}}, which has no rule of its own for what "
                "this host sends: leave one out",
                way.value,
            )
        )
    if settings.forwardWords and settings.ndp is not NdpMode.PROTOCOL:
        raise OptionError(
            OptionText(
                "{forward} contradicts {ndp:{0}}: it says what is answered for by "
                "the protocol: leave one out",
                settings.ndp.value,
            )
        )


def checkLink(settings: LinkSettings, link: Link) -> None:
    """
    See that the interface can do what was asked.

    @raise OptionError: it cannot.
    """
    if link.hardwareType == ETHERNET:
        return
    if settings.echo is EchoMode.PROTOCOL:
        raise OptionError(
            OptionText(
                "{echo:protocol} needs an Ethernet interface, and {0!r} is none: "
                "leave echo to the kernel ({echo:kernel})",
                link.name,
            )
        )
    if settings.ndp is NdpMode.KERNEL:
        raise OptionError(
            OptionText(
                "{ndp:kernel} needs an Ethernet interface, and {0!r} is none, which has no "
                "solicitations: leave it out",
                link.name,
            )
        )

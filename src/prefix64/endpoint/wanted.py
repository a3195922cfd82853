"""
What an endpoint wants of its interface, and whether two endpoints can have it both. Pure: nothing
here touches the kernel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prefix64.addressing import Prefix
from prefix64.endpoint.words import EndpointError, escaped
from prefix64.hosts.model import Host
from prefix64.options.values import MOST_PREFIXES
from prefix64.settings import LinkSettings

_OF_THE_INTERFACE: Mapping[str, Callable[[Wanted], object]] = {
    "routing": lambda wanted: wanted.settings.steering.way.value,
    "ports": lambda wanted: ",".join(map(str, wanted.settings.steering.services)),
    "table": lambda wanted: wanted.settings.steering.numbers.table,
    "priority": lambda wanted: wanted.settings.steering.numbers.priority,
    "fwmark": lambda wanted: wanted.settings.steering.numbers.mark,
    "ndp": lambda wanted: wanted.settings.ndp.value,
    "echo": lambda wanted: "" if wanted.settings.echo is None else wanted.settings.echo.value,
    "dad": lambda wanted: wanted.settings.dad.value,
    "na-source": lambda wanted: wanted.settings.advertisementSource.value,
    "na-router": lambda wanted: wanted.settings.routerFlag.value,
    "respond": lambda wanted: wanted.settings.respond.value,
    "rate": lambda wanted: wanted.settings.rate,
    "rate-source": lambda wanted: wanted.settings.sourceRate,
    "yield": lambda wanted: "yes" if wanted.settings.yields else "no",
    "local": lambda wanted: "yes" if wanted.settings.local else "no",
    "trace": lambda wanted: "yes" if wanted.settings.trace else "no",
    "forward": lambda wanted: "auto" if wanted.settings.followsRoutes else "",
    "state": lambda wanted: wanted.stateDirectory,
}
"""What there is once for each interface: the value of each argument, as a user would write it."""


@dataclass(frozen=True)
class Part:
    """
    What is said of one prefix.

    @ivar excluded: what of it is never ours.
    @ivar behind: what of it lives behind this host.
    @ivar hosts: the addresses and sub-prefixes of it that are in use.
    """

    excluded: tuple[Prefix, ...] = ()
    behind: tuple[Prefix, ...] = ()
    hosts: tuple[Host, ...] = ()

    def values(self) -> dict[str, str]:
        """
        The value of each argument, as a user would write it.
        """
        return {
            "exclude": _list(self.excluded),
            "forward": _list(self.behind),
            "hosts": _list(host.prefix for host in self.hosts),
        }


@dataclass(frozen=True)
class Wanted:
    """
    What one endpoint wants.

    @ivar settings: of its interface, with its prefixes.
    @ivar hosts: the addresses and sub-prefixes that are in use.
    @ivar stateDirectory: absolute path.
    """

    settings: LinkSettings
    hosts: tuple[Host, ...] = ()
    stateDirectory: str = ""

    @property
    def parts(self) -> dict[Prefix, Part]:
        """What is said of each prefix."""
        return {
            prefix: Part(
                tuple(filter(prefix.covers, self.settings.excluded)),
                tuple(filter(prefix.covers, self.settings.behind)),
                tuple(host for host in self.hosts if prefix.covers(host.prefix)),
            )
            for prefix in self.settings.prefixes
        }

    def having(self, parts: Mapping[Prefix, Part]) -> Wanted:
        """
        The same with other prefixes.

        @raise EndpointError: there are too many.
        """
        if len(parts) > MOST_PREFIXES:
            raise EndpointError(
                f"{len(parts)} prefixes on {self.settings.interface}: at most {MOST_PREFIXES} "
                "are served"
            )
        several = parts.values()
        settings = dataclasses.replace(
            self.settings,
            prefixes=tuple(parts),
            excluded=tuple(block for part in several for block in part.excluded),
            behind=tuple(block for part in several for block in part.behind),
        )
        hosts = tuple(host for part in several for host in part.hosts)
        return dataclasses.replace(self, settings=settings, hosts=hosts)


def seeThatTheyAgree(wanted: Wanted, served: Wanted) -> None:
    """
    See that an endpoint can share the interface with those that serve it already.

    @param served: what those want, together.
    @raise EndpointError: it contradicts them; the text names the argument and both values.
    """
    name = wanted.settings.interface
    for argument, value in _OF_THE_INTERFACE.items():
        _compare(argument, str(value(wanted)), str(value(served)), f"serves {name}")
    parts = served.parts
    for prefix, part in wanted.parts.items():
        _seeThatItIsNoPart(prefix, parts, name)
        if prefix in parts:
            others = parts[prefix].values()
            for argument, text in part.values().items():
                _compare(argument, text, others[argument], f"serves {prefix} on {name}")


def _seeThatItIsNoPart(prefix: Prefix, served: Iterable[Prefix], name: str) -> None:
    """
    See that a prefix is served already as a whole, or not at all.

    @raise EndpointError: it is not so.
    """
    for other in served:
        if other != prefix and other.overlaps(prefix):
            raise EndpointError(
                f"prefix={escaped(str(prefix))} overlaps {other}, which another endpoint of this "
                f"process serves on {name}: give both the same prefix"
            )


def _compare(argument: str, value: str, other: str, does: str) -> None:
    """
    See that two values are the same.

    @param does: what the other endpoint does.
    @raise EndpointError: they are not.
    """
    if value != other:
        raise EndpointError(
            f"{_said(argument, value)} contradicts {_said(argument, other)} of another endpoint of "
            f"this process, which {does}: give both the same"
        )


def _said(argument: str, value: str) -> str:
    """
    An argument as a user would write it.
    """
    return f"{argument}={escaped(value)}" if value else f"no {argument}"


def _list(blocks: Iterable[Prefix]) -> str:
    """
    Several addresses or prefixes as one value.
    """
    return ",".join(sorted(map(str, blocks)))

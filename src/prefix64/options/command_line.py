"""
The command line of C{twistd prefix64}.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Any

from twisted.python import usage

import twisted
from prefix64 import __version__
from prefix64.errors import OptionError, Prefix64Error, givenIn
from prefix64.kernel.messages import Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.option_text import Origin
from prefix64.options.given import allGiven
from prefix64.options.link import LISTS, checkLink
from prefix64.options.process import checkTogether, readSettings, readWait
from prefix64.options.values import findLink
from prefix64.privileges import checkPrivileges
from prefix64.settings import Launch, LinkSettings, Settings


class Options(usage.Options):
    """
    What C{twistd prefix64} takes. With no options: 2001:db8::/64 on the loopback interface.
    """

    synopsis = "[options]"
    longdesc = (
        "Own every IPv6 address of a prefix: its packets are this host's own, Neighbor "
        "Solicitations and pings for it are answered, and each address has a web site, chosen by "
        "the address alone. With no options: 2001:db8::/64 on the loopback interface, to try it."
    )
    optParameters = [
        ["iface", "i", None, "the interface that the prefix arrives on [default: lo]"],
        ["config", "c", None, "a file with options, in TOML; those given here win over its own"],
        ["wait", None, None, "how many seconds to wait for interfaces that are missing [none]"],
        ["sites", None, None, "a directory with one for each address or sub-prefix, and 'default'"],
        [
            "routing",
            None,
            None,
            "how packets for the prefix become this host's own: input (all that come in), ports "
            "(only --ports), fwmark (what the firewall marks) or none [default: input]",
        ],
        ["ports", None, None, "with --routing ports: what is taken, such as tcp:80,tcp:443"],
        ["table", None, None, "the routing table [default: 64]"],
        ["priority", None, None, "the priority of the rules [default: 64]"],
        ["fwmark", None, None, "with --routing fwmark: the firewall mark [default: 64]"],
        [
            "ndp",
            None,
            None,
            "who answers Neighbor Solicitations: protocol, kernel (its proxy, for single hosts) "
            "or none (another program) [default: protocol]",
        ],
        [
            "echo",
            None,
            None,
            "who answers ping: protocol, kernel or none [default: protocol on Ethernet with "
            "--ndp protocol, else kernel]",
        ],
        [
            "dad",
            None,
            None,
            "what a duplicate address probe for one of our addresses gets: auto "
            "(a defence, if it has a site of its own), defend or ignore [default: auto]",
        ],
        [
            "na-source",
            None,
            None,
            "the source of advertisements: target or link-local [default: target]",
        ],
        [
            "na-router",
            None,
            None,
            "the R flag of advertisements: 0, or auto (set while the interface forwards) "
            "[default: 0]",
        ],
        [
            "respond",
            None,
            None,
            "which addresses are answered for: all, or hosts (with a site of their own) "
            "[default: all]",
        ],
        ["rate", None, None, "the most answers a second, to solicitations and pings [no limit]"],
        ["rate-source", None, None, "the same for each source link-layer address"],
        ["state", None, None, "the directory for what outlives a run; made when missing"],
        [
            "access-log",
            None,
            None,
            "where requests are logged: a file, - for twistd's log, or none [default: -]",
        ],
    ]
    optFlags = [
        ["yield", None, "leave an address with a site of its own to another machine that uses it"],
        ["local", None, "let this host reach the prefix's addresses itself (always so with lo)"],
        ["trace", None, "log a line for each packet, in the words of tcpdump"],
    ]

    findLink: Callable[..., Link] = staticmethod(findLink)
    checkPrivileges = staticmethod(checkPrivileges)

    def __init__(self) -> None:
        super().__init__()
        for name in (*LISTS, "http"):
            self[name] = []

    def opt_prefix(self, text: str) -> None:
        """
        A prefix to serve, from /32 to /127; may be given again [default with lo: 2001:db8::/64]
        """
        self["prefix"].append(text)

    opt_p = opt_prefix

    def opt_exclude(self, text: str) -> None:
        """
        An address or prefix that is never ours; may be given again
        """
        self["exclude"].append(text)

    def opt_forward(self, text: str) -> None:
        """
        A part of the prefix that lives behind this host, or auto; may be given again
        """
        self["forward"].append(text)

    def opt_http(self, text: str) -> None:
        """
        Where HTTP listens: a port, an endpoint, or none; may be given again [default: 80]
        """
        self["http"].append(text)

    def opt_version(self) -> None:
        """
        Display the versions of prefix64 and Twisted, and exit.
        """
        print(f"prefix64 {__version__}, Twisted {twisted.__version__}")
        raise SystemExit(0)

    def parseArgs(self, *extra: str) -> None:
        """
        Refuse what is no option.
        """
        if extra:
            raise usage.UsageError(f"{extra[0]!r} is no option: options begin with --")

    def parseOptions(self, options: Any = None) -> None:
        """
        Read and check. Under twistd, which would print its whole help and then the error, a mistake
        is one line and exit status 1.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            if self.parent is None:
                raise
            raise SystemExit(f"prefix64: {error}") from None

    def postOptions(self) -> None:
        """
        Check everything that can be checked before anything is changed.

        @raise usage.UsageError: a value is wrong; the text names it and says what to do.
        """
        try:
            self.settings = self._check()
        except Prefix64Error as error:
            raise usage.UsageError(str(error)) from None

    def _check(self) -> Settings:
        """
        Make the settings.

        @raise Prefix64Error: a value is wrong.
        """
        from twisted.internet import reactor

        self._refuseUser()
        given = allGiven(self)
        wait = readWait(given)
        if not wait:
            self._findLinks(given.interfaces(), 0)
        settings = readSettings(given, reactor, self._launch())
        found = self._findLinks([(link.interface, link.origin) for link in settings.links], wait)
        links = tuple(map(_named, settings.links, found))
        checkTogether(links)
        for one, link in zip(links, found, strict=True):
            with givenIn(one.origin):
                checkLink(one, link)
        self._checkPrivileges(links, found, settings)
        return dataclasses.replace(settings, links=links)

    def _findLinks(self, names: Iterable[tuple[str, Origin]], wait: float) -> list[Link]:
        """
        Find the interfaces.

        @param names: each with where it was given.
        @param wait: how many seconds to wait for all of them together.
        @raise Prefix64Error: one cannot be served.
        """
        found: list[Link] = []
        deadline, left = time.monotonic() + wait, wait
        for name, origin in names:
            with givenIn(origin):
                found.append(self.findLink(name, wait, left))
            left = round(max(0.0, deadline - time.monotonic()), 1)
        return found

    def _checkPrivileges(
        self, links: tuple[LinkSettings, ...], found: list[Link], settings: Settings
    ) -> None:
        """
        See that nothing will be refused for want of a capability.
        """
        ethernet = [link.hardwareType == ETHERNET for link in found]
        pairs = list(zip(links, ethernet, strict=True))
        packets = any(isEthernet and one.hasPackets(isEthernet) for one, isEthernet in pairs)
        admin = any(one.changesKernel(isEthernet) for one, isEthernet in pairs)
        ports = [port for port in settings.http if isinstance(port, int)]
        self.checkPrivileges(admin, packets, ports)

    def _launch(self) -> Launch:
        """
        How twistd was started.
        """
        twistd: dict[str, Any] = self.parent or {}
        daemonized = not (twistd.get("nodaemon", True) or twistd.get("debug"))
        elsewhere = twistd.get("syslog") or twistd.get("logfile") not in (None, "-")
        return Launch(daemonized, not (daemonized or elsewhere), twistd.get("pidfile") or "")

    def _refuseUser(self) -> None:
        """
        Refuse twistd's own change of user: it takes every capability before the end, and nothing
        could be undone.
        """
        for option in ("uid", "gid"):
            if self.parent is not None and self.parent.get(option) is not None:
                raise OptionError(
                    f"--{option} would take the privileges that undoing routes at the end needs: "
                    "leave it out"
                )


def _named(settings: LinkSettings, link: Link) -> LinkSettings:
    """
    The settings with the interface's own name: it may have been called by another one of its names.
    """
    return dataclasses.replace(settings, interface=link.name)

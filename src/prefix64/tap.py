"""
The command line of C{twistd prefix64}.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

import twisted
from prefix64 import __version__
from prefix64.errors import OptionError, Prefix64Error
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy, RouterFlag
from prefix64.link.packet_socket import ETHERNET
from prefix64.option_values import (
    LONGEST_WAIT,
    absolutePath,
    accessLogPlace,
    answersASecond,
    choice,
    defaultStateDirectory,
    excludedBlocks,
    findLink,
    httpPlaces,
    secondsBetween,
    servedPrefixes,
    sitesIn,
)
from prefix64.privileges import checkPrivileges
from prefix64.routing.messages import Link
from prefix64.routing.plan import LOOPBACK
from prefix64.settings import EchoMode, Launch, Settings


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
        ["iface", "i", LOOPBACK, "the interface that the prefix arrives on"],
        ["wait", None, "0", "how many seconds to wait for an interface that is missing"],
        ["sites", None, None, "a directory with one for each address or sub-prefix, and 'default'"],
        [
            "echo",
            None,
            None,
            "who answers ping: protocol, kernel or none [default: protocol on "
            "Ethernet, else kernel]",
        ],
        [
            "dad",
            None,
            "auto",
            "what a duplicate address probe for one of our addresses gets: auto "
            "(a defence, if it has a site of its own), defend or ignore",
        ],
        ["na-source", None, "target", "the source of advertisements: target or link-local"],
        [
            "na-router",
            None,
            "0",
            "the R flag of advertisements: 0, or auto (set while the interface forwards)",
        ],
        [
            "respond",
            None,
            "all",
            "which addresses are answered for: all, or hosts (with a site of their own)",
        ],
        ["rate", None, "0", "the most answers a second, to solicitations and pings; 0: no limit"],
        ["rate-source", None, "0", "the same for each source link-layer address"],
        ["state", None, None, "the directory for what outlives a run; made when missing"],
        ["access-log", None, "-", "where requests are logged: a file, - for twistd's log, or none"],
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
        self["prefixes"] = []
        self["excluded"] = []
        self["http"] = []

    def opt_prefix(self, text: str) -> None:
        """
        A prefix to serve, from /32 to /127; may be given again. [default with lo: 2001:db8::/64]
        """
        self["prefixes"].append(text)

    opt_p = opt_prefix

    def opt_exclude(self, text: str) -> None:
        """
        An address or prefix that is never ours; may be given again.
        """
        self["excluded"].append(text)

    def opt_http(self, text: str) -> None:
        """
        Where HTTP listens: a port, an endpoint, or none; may be given again. [default: 80]
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
        wait = secondsBetween("wait", self["wait"], 0, LONGEST_WAIT)
        link = None if wait else self.findLink(self["iface"])
        prefixes = servedPrefixes(self["prefixes"], self["iface"])
        excluded = excludedBlocks(self["excluded"], prefixes)
        http = httpPlaces(self["http"] or ["80"], reactor)
        settings = Settings(
            interface=self["iface"],
            prefixes=prefixes,
            excluded=excluded,
            http=http,
            sites=sitesIn(self["sites"], prefixes, excluded),
            echo=None if self["echo"] is None else choice("echo", EchoMode, self["echo"]),
            dad=choice("dad", DadPolicy, self["dad"]),
            advertisementSource=choice("na-source", AdvertisementSource, self["na-source"]),
            routerFlag=choice("na-router", RouterFlag, self["na-router"]),
            respond=choice("respond", RespondPolicy, self["respond"]),
            yields=bool(self["yield"]),
            rate=answersASecond("rate", self["rate"]),
            sourceRate=answersASecond("rate-source", self["rate-source"]),
            local=bool(self["local"]),
            trace=bool(self["trace"]),
            stateDirectory=self._stateDirectory(),
            accessLog=accessLogPlace(self["access-log"]),
            launch=self._launch(),
        )
        if link is None:  # waited for when nothing else is wrong
            link = self.findLink(self["iface"], wait)
        settings = dataclasses.replace(settings, interface=link.name)
        ethernet = link.hardwareType == ETHERNET
        if settings.echo is EchoMode.PROTOCOL and not ethernet:
            raise OptionError(
                f"--echo protocol needs an Ethernet interface, and {link.name!r} is none: "
                "leave echo to the kernel (--echo kernel)"
            )
        self.checkPrivileges(ethernet, [port for port in http if isinstance(port, int)])
        return settings

    def _stateDirectory(self) -> str:
        """
        The state directory, as an absolute path.
        """
        if self["state"] is None:
            return defaultStateDirectory()
        return absolutePath("state", self["state"])

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


def makeService(options: Options) -> IService:
    """
    Make the service, for twistd.
    """
    from twisted.internet import reactor

    from prefix64.services.prefix64 import Prefix64Service

    service: IService = Prefix64Service(options.settings, reactor)
    return service

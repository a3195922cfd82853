"""
The whole: services that start one after the other, and stop in reverse, each when the next is done.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, NoReturn

from twisted.internet.address import IPv6Address
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from prefix64.edges import Edges
from prefix64.errors import Prefix64Error, StateError, givenIn
from prefix64.option_text import OptionText
from prefix64.services.announcement import firstToTry, notes, served
from prefix64.services.in_order import InOrder, stopped
from prefix64.services.link import LinkService, startLinks
from prefix64.services.signals import Hangup, HeldSignals, interruptible, undisturbed
from prefix64.services.wanted import hostTables
from prefix64.services.web import WebService
from prefix64.settings import Settings

_log = Logger("prefix64")

_SHORT = 80
"""A failed start of the daemon reaches the terminal cut to 100 bytes, with the error's class."""


class Prefix64Service(InOrder):
    """
    The interfaces, then HTTP: an address that is answered for but not local would be forwarded or
    refused. At the end the reverse: requests in flight end while the addresses are still found.

    @ivar tables: the host table of all interfaces.
    @ivar links: the interfaces.
    """

    def __init__(self, settings: Settings, reactor: Any, edges: Edges | None = None) -> None:
        """
        @param edges: what opens sockets; the real thing if left out.
        """
        super().__init__()
        edges = edges or Edges()
        self._settings = settings
        self._reactor = reactor
        self._edges = edges
        self._hangup = Hangup(self._hungUp, reactor)
        self._held = HeldSignals()
        self.tables, parts = hostTables(settings)
        self.links = [
            LinkService(
                reactor,
                link,
                settings.stateDirectory,
                part,
                edges,
                [other for other in settings.links if other is not link],
            )
            for link, part in zip(settings.links, parts, strict=True)
        ]
        self.web = WebService(reactor, settings, self.tables, edges)
        for service in (*self.links, self.web):
            service.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """
        Start one after the other. If one fails, what had started is undone, and one line says why.

        @raise SystemExit: the start failed, and twistd is in the foreground.
        @raise RuntimeError: the start failed, and twistd waits for its daemon.
        """
        try:
            with interruptible(), givenIn(self._settings.origin):
                makeStateDirectory(self._settings.stateDirectory)
                startLinks(self.links, self._edges)
                self.web.privilegedStartService()
                self._held.hold()
        except BaseException as error:
            with undisturbed():
                for service in reversed(list(self)):
                    stopped(service)  # not waited for: the reactor does not run
                self._held.release()
            if isinstance(error, Prefix64Error):
                self._fail(str(error))
            raise

    def _fail(self, line: str) -> NoReturn:
        """
        End the start. twistd would print a traceback for an exception in the foreground; in the
        daemon a SystemExit would leave the waiting parent hanging.
        """
        launch = self._settings.launch
        if not launch.logsToTerminal:
            _log.error("{line}", line=line)
        if launch.daemonized:
            sys.excepthook = _saidAlready
            raise RuntimeError(line if len(line) <= _SHORT else line[: _SHORT - 3] + "...")
        if launch.pidFile:
            with contextlib.suppress(OSError):
                os.unlink(launch.pidFile)
        sys.stderr = sys.__stderr__  # twistd has put its log there
        raise SystemExit(f"prefix64: {line}")

    def startService(self) -> None:
        """
        Begin to serve, and say so in one line.
        """
        super().startService()
        self._hangup.catch()
        self._reactor.callWhenRunning(self._held.release)
        _log.info("{line}", line=self.announcement())

    def _hungUp(self) -> None:
        """
        After SIGHUP: in the foreground the terminal is gone, and this ends as with SIGTERM; the
        daemon goes on.
        """
        if self._settings.launch.daemonized:
            _log.info("SIGHUP: there is nothing to read anew")
        else:
            _log.info("SIGHUP: the terminal is gone")
            with contextlib.suppress(ReactorNotRunning):
                self._reactor.stop()

    @inlineCallbacks
    def stopService(self) -> Any:
        """
        Stop in reverse order, each when the one before has stopped.
        """
        self._held.release()
        yield super().stopService()
        self._hangup.release()

    def announcement(self) -> str:
        """
        What is served, on which interface, and the first URL to try.
        """
        listed = len(self._settings.sites.hosts)
        parts = [f"serving every address of {served(self._settings.links)}"]
        if listed:
            parts.append(f"{listed} host rule{'' if listed == 1 else 's'} from the tree of sites")
        parts += notes(self.links)
        return "; ".join(parts) + self._firstToTry()

    def _firstToTry(self) -> str:
        """
        The first URL to try; where no port listens on every address, the first address to ping.
        """
        address = firstToTry(self._settings, self.tables.table.ownership)
        if address is None:
            return ""
        hosts = (port.getHost() for port in self.web.ports)
        number = next(
            (h.port for h in hosts if isinstance(h, IPv6Address) and h.host == "::"), None
        )
        if number is None:
            return f". Try: ping {address}"
        port = "" if number == 80 else f":{number}"
        return f". Try http://[{address}]{port}/"


def _saidAlready(*error: object) -> None:
    """
    In the daemon: print no traceback of an error whose line is in the log.
    """


def makeStateDirectory(path: str) -> None:
    """
    Make the state directory, for nobody else to read, if it is missing.

    @raise StateError: it cannot be made, or cannot be written to.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateError(
            OptionText("{state:{0!r}}: {1}: choose another directory", path, error.strerror)
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise StateError(OptionText("{state:{0!r}}: not writable: choose another directory", path))

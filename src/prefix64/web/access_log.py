"""
The access log: a line for each request, with the local address, the peer and the host rule.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv6Address
from twisted.logger import Logger
from twisted.web.iweb import IAccessLogFormatter
from zope.interface import directlyProvides

from prefix64.errors import ListenError
from prefix64.option_text import OptionText
from prefix64.web.connection import localMatch

MOST_FIELD = 1024
"""The most bytes of what a visitor wrote that one field of a line keeps."""

_log = Logger("prefix64.access")


def escaped(raw: bytes | None) -> str:
    """
    What a visitor wrote, as printable ASCII without a quote: safe in a log and on a terminal.

    @param raw: the bytes, or L{None} for what was not sent: C{-}.
    """
    if not raw:
        return "-"
    if len(raw) > MOST_FIELD:
        return escaped(raw[:MOST_FIELD]) + "..."
    text = raw.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text)


def accessLine(timestamp: str, request: Any) -> str:
    """
    Format a request: the combined log format, with the local address before it and the rule last.

    C{2001:db8::cafe 2001:db8:1::9 - - [23/Nov/2026:07:30:00 +0000] "GET / HTTP/1.1" 200 1234 "-"
    "curl/8.14" default}. The rule is the address or sub-prefix of a host rule, C{default}, or
    C{refused}.
    """
    local = request.getHost()
    peer = request.getClientAddress()
    line = " ".join((escaped(request.method), escaped(request.uri), escaped(request.clientproto)))
    return (
        f"{_host(local)} {_host(peer)} - - {timestamp} "
        f'"{line}" {request.code} {request.sentLength} '
        f'"{escaped(request.getHeader(b"referer"))}" "{escaped(request.getHeader(b"user-agent"))}" '
        f"{localMatch(request)}"
    )


directlyProvides(accessLine, IAccessLogFormatter)


def _host(address: Any) -> str:
    """
    The text of an address; C{-} for a socket that has none.
    """
    return address.host if isinstance(address, IPv6Address) else "-"


def writeToTwistedLog(line: str) -> None:
    """
    Put a line into twistd's log.
    """
    _log.info("{line}", line=line)


class AccessLogFile:
    """
    The access log as a file of its own. A line that cannot be written (a full disk) is counted, and
    said once; the request is answered all the same.

    @ivar lost: how many lines could not be written.
    """

    def __init__(self, path: str) -> None:
        """
        @raise ListenError: the file cannot be opened.
        """
        try:
            self._file = open(path, "ab", 0, opener=_openForAppending)  # noqa: SIM115
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise ListenError(
                    OptionText("{access-log:{0!r}}: nobody reads this pipe", path)
                ) from None
            raise ListenError(OptionText("{access-log:{0!r}}: {1}", path, error.strerror)) from None
        self._path = path
        self._begin = b""  # ends what is left of a line that was written in part
        self.lost = 0

    def write(self, line: str) -> None:
        """
        Write a line and its end.
        """
        data = self._begin + line.encode("ascii") + b"\n"
        try:
            written = self._file.write(data) or 0  # None for a pipe that is full
        except OSError as error:
            self._lineIsLost(error.strerror or "not written")
            return
        if written == len(data):
            self._begin = b""
        else:
            self._begin = b"\n" if written else self._begin
            self._lineIsLost("no room for a whole line")

    def _lineIsLost(self, why: str) -> None:
        """
        Count a lost line, and say so the first time.
        """
        if not self.lost:
            _log.error("--access-log {path!r}: {why}: lines are lost", path=self._path, why=why)
        self.lost += 1

    def close(self) -> None:
        """
        Close the file.
        """
        self._file.close()


def _openForAppending(path: str, flags: int) -> int:
    """
    Open a file without waiting: a pipe that nobody reads is an error, one that is full loses lines.
    """
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)


def openAccessLog(where: str) -> tuple[Callable[[str], None] | None, Callable[[], None]]:
    """
    Open what C{--access-log} names.

    @param where: C{-} for twistd's log, C{none}, or the path of a file.
    @return: what takes a line (L{None} for no log), and what closes it.
    @raise ListenError: the file cannot be opened.
    """
    if where == "none":
        return None, lambda: None
    if where == "-":
        return writeToTwistedLog, lambda: None
    logFile = AccessLogFile(os.path.abspath(where))
    return logFile.write, logFile.close

"""
A static site: files below one directory, and nothing else.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import BinaryIO
from urllib.parse import quote

from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request
from twisted.web.static import (
    File,
    NoRangeStaticProducer,
    SingleRangeStaticProducer,
    StaticProducer,
)

from prefix64.web.pages import Page

INDEX_NAMES = ("index.html", "index.htm")

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)

_log = Logger("prefix64.web")

_ONE_RANGE = re.compile(rb"\s*bytes\s*=\s*(?:(\d{1,18})\s*-\s*(\d{1,18})?|-\s*(\d{1,18}))\s*")


class StaticFiles(Resource):
    """
    The files below a directory. Index files only, never a listing; no name that begins with a dot;
    nothing that lies outside the root once every symbolic link is resolved; regular files only.
    """

    isLeaf = True

    def __init__(self, root: str) -> None:
        """
        @param root: the directory, with symbolic links resolved.
        """
        super().__init__()
        self._root = root
        self._notAllowed = Page(405, "Method Not Allowed", "This site can only be read.")
        self._unavailable = Page(503, "Service Unavailable", "Try again in a while.")
        self._notFound = Page(404, "Not Found", "There is no such page at this address.")

    def render(self, request: Request) -> bytes | int:
        """
        Answer GET and HEAD; every other method gets 405.
        """
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            return self._notAllowed.render(request)
        result: bytes | int = super().render(request)
        return result

    def render_GET(self, request: Request) -> bytes | int:
        """
        Serve the file that the path names. Also for HEAD.
        """
        names = _names(request.postpath or [])
        if names is None:
            return self._notFound.render(request)
        try:
            return self._serve(request, names)
        except OSError as error:
            _log.error("{path}: {why}", path=request.uri, why=error.strerror)
            return self._unavailable.render(request)

    render_HEAD = render_GET

    def _serve(self, request: Request, names: list[str]) -> bytes | int:
        """
        Serve what names lead to.

        @raise OSError: for want of a descriptor, or the like.
        """
        path = os.path.join(self._root, *names)
        found = self._open(path)
        if found is not None and stat.S_ISDIR(found.status.st_mode):
            found.close()
            if names and names[-1]:
                return _redirectToDirectory(request, names)
            found = self._openIndex(path)
        if found is None:
            return self._notFound.render(request)
        _keepOneRange(request, found.status.st_size)
        result: bytes | int = OpenedFile(found).render(request)
        return result

    def _openIndex(self, path: str) -> _Opened | None:
        """
        Open the index file of a directory.

        @return: L{None} if it has none.
        """
        for name in INDEX_NAMES:
            index = self._open(os.path.join(path, name))
            if index is not None and stat.S_ISREG(index.status.st_mode):
                return index
            if index is not None:
                index.close()
        return None

    def _open(self, path: str) -> _Opened | None:
        """
        Find a file or directory of the site, and open it. What was found is looked at, not what the
        name meant a moment before: a link that changes meanwhile leads nowhere else. Until it is
        known to be a file of the site nothing but its place is opened (O_PATH), so that a link to a
        pipe or a device has no effect on that.

        @return: L{None} if it is not there, or not to be served.
        @raise OSError: for want of a descriptor, or the like.
        """
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or error.errno in _NOT_THERE:
                return None
            raise
        try:
            if not self._isServed(place):
                return None
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
            return _Opened(path, os.open(f"/proc/self/fd/{place}", flags))
        except PermissionError:
            return None
        finally:
            os.close(place)

    def _isServed(self, place: int) -> bool:
        """
        Tell whether a descriptor is a regular file or a directory below the root, with no name on
        the way to it that begins with a dot.
        """
        real = os.readlink(f"/proc/self/fd/{place}")
        mode = os.fstat(place).st_mode
        below = real.removeprefix(self._root.rstrip("/"))
        outside = below == real and self._root != "/"
        if outside or (below and not below.startswith("/")) or "/." in below:
            return False
        return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


class _Opened:
    """
    An open file or directory.

    @ivar path: by which name it was asked for.
    @ivar status: what it is (L{os.fstat}).
    """

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.status = os.fstat(fd)

    def close(self) -> None:
        """
        Close the descriptor.
        """
        os.close(self.fd)


class OpenedFile(File):
    """
    A regular file that is open already: C{File}'s answer, from this descriptor and no other.
    """

    def __init__(self, opened: _Opened) -> None:
        super().__init__(opened.path, defaultType="application/octet-stream")
        self._status = opened.status
        self._file = os.fdopen(opened.fd, "rb")

    def restat(self, reraise: bool = True) -> None:
        """
        Keep what is known of the descriptor.
        """

    def exists(self) -> bool:
        """
        It is open, so it is there.
        """
        return True

    def isdir(self) -> bool:
        """
        It is a regular file.
        """
        return False

    def getsize(self) -> int:
        """
        @return: bytes.
        """
        return self._status.st_size

    def getModificationTime(self) -> float:
        """
        @return: seconds since the epoch.
        """
        return self._status.st_mtime

    def openForReading(self) -> BinaryIO:
        """
        @return: the file that was opened.
        """
        return self._file

    def makeProducer(self, request: Request, fileForReading: BinaryIO) -> StaticProducer:
        """
        Send no more than the length that was announced, though the file may grow meanwhile.
        """
        producer: StaticProducer = super().makeProducer(request, fileForReading)
        if isinstance(producer, NoRangeStaticProducer):
            return BoundedProducer(request, fileForReading, 0, self.getsize())
        if isinstance(producer, SingleRangeStaticProducer):
            return BoundedProducer(request, fileForReading, producer.offset, producer.size)
        return producer


class BoundedProducer(SingleRangeStaticProducer):
    """
    Sends as many bytes as were announced: no more when the file grows meanwhile; and when it
    shrinks, the connection is closed, for nothing else tells the visitor that bytes are missing.
    """

    def resumeProducing(self) -> None:
        """
        Send the next piece.
        """
        before = self.bytesWritten
        super().resumeProducing()
        if self.request is not None and self.bytesWritten == before:
            request = self.request
            request.unregisterProducer()
            self.stopProducing()
            request.channel.loseConnection()


def _names(segments: list[bytes]) -> list[str] | None:
    """
    Read the segments of a path, percent-decoding done.

    @return: the names, of which the last is empty for a path that ends in a slash; L{None} for a
        path that no site serves: an empty segment inside, a name that begins with a dot (C{..}
        among them), a slash or NUL in a name, or what is no UTF-8.
    """
    try:
        names = [segment.decode("utf-8") for segment in segments]
    except UnicodeDecodeError:
        return None
    if any(name.startswith(".") or "/" in name or "\0" in name for name in names):
        return None
    return None if "" in names[:-1] else names


def _redirectToDirectory(request: Request, names: list[str]) -> bytes:
    """
    Redirect from a directory's name to the name with a slash. No host name is in the location, so
    the visitor stays at the address.
    """
    location = "".join("/" + quote(name, safe="") for name in names) + "/"
    query = request.uri.partition(b"?")[2]
    request.setResponseCode(301)
    request.setHeader(b"location", location.encode("ascii") + (b"?" + query if query else b""))
    return b""


def _keepOneRange(request: Request, size: int) -> None:
    """
    Leave a Range header of one range that fits, and remove any other: the whole file is then sent,
    as RFC 9110 14.2 allows. Many ranges would multiply what a short request makes us send; a date
    in If-Range would have to be compared.

    @param size: of the file, in bytes.
    """
    header = request.getHeader(b"range")
    if header is None:
        return
    one = _ONE_RANGE.fullmatch(header)
    backwards = one is not None and bool(one[2]) and int(one[2]) < int(one[1])
    if one is None or backwards or request.getHeader(b"if-range") is not None:
        request.requestHeaders.removeHeader(b"range")
    elif one[3] is not None and int(one[3]) > size:
        request.requestHeaders.setRawHeaders(b"range", [b"bytes=0-"])

"""
A static site: files below its root, and nothing else.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from twisted.internet import task
from twisted.internet.task import Clock, Cooperator
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import datetimeToString

from prefix64.web.site import AddressSite
from prefix64.web.static import StaticFiles
from tests.test_pages import Response, tablesFor
from tests.test_vhost import CAFE, PEER, wire

INDEX = b"<p>index</p>"
DIGITS = b"0123456789"
CHANGED = 1_700_000_000
"""When every file was last changed, in seconds since the epoch."""


class StaticCase(SynchronousTestCase):
    """
    A site with an index, files, a directory, and what is not to be served.
    """

    def setUp(self) -> None:
        base = os.path.realpath(self.mktemp())
        self.root = os.path.join(base, "site")
        self.outside = os.path.join(base, "site-of-somebody-else")
        for path, content in (
            (("index.html",), INDEX),
            (("digits.txt",), DIGITS),
            (("empty.txt",), b""),
            (("a b\u00e9.txt",), b"named"),
            (("noext",), b"x"),
            (("dir", "index.htm"), b"inner"),
            (("dir", "file.html"), b"file"),
            (("bare", "file.html"), b"secret name"),
            ((".hidden",), b"secret"),
            ((".git", "config"), b"secret"),
            (("dir", ".htaccess"), b"secret"),
        ):
            self.write(os.path.join(self.root, *path), content)
        self.write(os.path.join(self.outside, "secret.txt"), b"secret")
        # The answer's producer is driven by a clock of the test's own, not by the reactor: a piece
        # at each step.
        self.clock = Clock()
        driven = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,
            scheduler=lambda call: self.clock.callLater(0.01, call),
        )
        self.patch(task, "_theCooperator", driven)

    def write(self, path: str, content: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (CHANGED, CHANGED))

    def link(self, name: str, target: str) -> None:
        os.symlink(target, os.path.join(self.root, name))

    def connect(self) -> tuple[object, StringTransport]:
        site = AddressSite(StaticFiles(self.root), tablesFor(), None, MemoryReactorClock())
        channel = site.buildProtocol(PEER)
        transport = StringTransport(wire(CAFE), PEER)
        channel.makeConnection(transport)
        return channel, transport

    def get(self, path: str | bytes, *headers: str, method: str = "GET") -> Response:
        """
        Ask for a path, and take the answer apart.
        """
        raw = path.encode() if isinstance(path, str) else path
        lines = [method.encode() + b" " + raw + b" HTTP/1.1", b"Host: h", b"Connection: close"]
        channel, transport = self.connect()
        channel.dataReceived(b"\r\n".join([*lines, *(h.encode() for h in headers), b"", b""]))
        for _ in range(100):
            if transport.disconnecting:
                break
            self.clock.advance(0.01)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        status, *rest = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in rest]
        return Response(status, {name.lower(): value for name, value in pairs}, body)

    def assertServed(self, path: str | bytes, body: bytes) -> None:
        response = self.get(path)
        self.assertEqual((response.code, response.body), (200, body), path)
        self.assertEqual(response.headers["content-length"], str(len(body)))

    def assertNotFound(self, *paths: str | bytes) -> None:
        for path in paths:
            response = self.get(path)
            self.assertEqual(response.code, 404, path)
            self.assertNotIn(b"secret", response.body, path)


class PathTests(StaticCase):
    """
    What a path names.
    """

    def test_aFileIsServed(self) -> None:
        """
        With its length and the type of its name.
        """
        self.assertServed("/digits.txt", DIGITS)
        self.assertServed("/dir/file.html", b"file")
        self.assertServed("/empty.txt", b"")
        self.assertEqual(self.get("/digits.txt").headers["content-type"], "text/plain")
        self.assertEqual(self.get("/noext").headers["content-type"], "application/octet-stream")

    def test_aNameMayBePercentEncoded(self) -> None:
        """
        A space, and what is not ASCII, in UTF-8.
        """
        self.assertServed("/a%20b%C3%A9.txt", b"named")
        self.assertServed("/%64igits.txt", DIGITS)

    def test_theQueryDoesNotMatter(self) -> None:
        """
        A file is the same with any.
        """
        self.assertServed("/digits.txt?x=/../y", DIGITS)

    def test_aDirectoryIsItsIndex(self) -> None:
        """
        C{index.html}, else C{index.htm}.
        """
        self.assertServed("/", INDEX)
        self.assertServed("/dir/", b"inner")

    def test_anIndexThatIsADirectoryIsNone(self) -> None:
        """
        The other name counts then; if that is none either, nothing is found.
        """
        os.mkdir(os.path.join(self.root, "dir", "index.html"))
        self.assertServed("/dir/", b"inner")
        os.makedirs(os.path.join(self.root, "bare", "index.html"))
        self.assertNotFound("/bare/")

    def test_aDirectoryWithoutAnIndexIsNotListed(self) -> None:
        """
        It is not found, and no name in it is told.
        """
        self.assertNotFound("/bare/")

    def test_whatIsMissingIsNotFound(self) -> None:
        """
        A name, a name below a file, a file with a slash behind it, an empty segment.
        """
        self.assertNotFound(
            "/none", "/digits.txt/x", "/digits.txt/", "//digits.txt", "/dir//file.html", "//", "/x/"
        )

    def test_aNameThatIsTooLongIsNotFound(self) -> None:
        """
        For the file system; no error of ours.
        """
        self.assertNotFound("/" + "x" * 300, "/" + "x/" * 3000)

    def test_whatBeginsWithADotIsNotServed(self) -> None:
        """
        Anywhere in the path, in any encoding.
        """
        self.assertNotFound(
            "/.hidden",
            "/%2ehidden",
            "/%2Ehidden",
            "/.git/config",
            "/%2egit/config",
            "/.git/",
            "/dir/.htaccess",
            "/./digits.txt",
            "/.",
            "/dir/.",
        )

    def test_noPathLeadsOut(self) -> None:
        """
        C{..} in any encoding, a slash inside a name, a name from the root.
        """
        secret = "site-of-somebody-else/secret.txt"
        self.assertNotFound(
            f"/../{secret}",
            f"/dir/../../{secret}",
            f"/%2e%2e/{secret}",
            f"/.%2E/{secret}",
            f"/..%2f{secret}",
            f"/%2e%2e%2f{secret}",
            f"/dir%2f..%2f..%2f{secret}",
            f"/..\\{secret}",
            f"/%252e%252e/{secret}",
            f"//{self.outside[1:]}/secret.txt",
            f"/{self.outside.replace('/', '%2F')}%2Fsecret.txt",
            "/dir/../digits.txt",
            "/dir%2ffile.html",
            "/..",
        )

    def test_aNulIsNotFound(self) -> None:
        """
        It would end the name for the kernel.
        """
        self.assertNotFound("/digits.txt%00", "/%00", "/digits.txt%00.html")

    def test_whatIsNoUtf8IsNotFound(self) -> None:
        """
        No error of ours.
        """
        self.assertNotFound("/%ff", "/%C3", "/%ed%a0%80")
        self.assertEqual(self.get(b"/\xff").code, 400)

    def test_otherMethodsAreNotAllowed(self) -> None:
        """
        405, with those that are (RFC 9110 15.5.6), on a page of ours, whatever the method and the
        path.
        """
        page = self.get("/digits.txt", method="POST")
        self.assertEqual(page.status, "HTTP/1.1 405 Method Not Allowed")
        self.assertIn(b"This site can only be read.", page.body)
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "BREW", "get"):
            for path in ("/digits.txt", "/", "/dir", "/none", "/.hidden"):
                response = self.get(path, method=method)
                self.assertEqual((response.code, response.body), (405, page.body), method)
                self.assertEqual(set(response.headers["allow"].split(", ")), {"GET", "HEAD"})


class RedirectTests(StaticCase):
    """
    From a directory's name to the name with a slash.
    """

    def location(self, path: str) -> str:
        response = self.get(path)
        self.assertEqual((response.code, response.body), (301, b""), path)
        location = response.headers["location"]
        self.assertRegex(location, r"^/[^/\\]", "no other host: RFC 3986 4.2")
        return location

    def test_itStaysAtTheAddress(self) -> None:
        """
        The location has no host: RFC 9110 10.2.2.
        """
        self.assertEqual(self.location("/dir"), "/dir/")

    def test_theQueryIsKept(self) -> None:
        """
        As it came.
        """
        self.assertEqual(self.location("/dir?a=b&c=%2F?d"), "/dir/?a=b&c=%2F?d")
        self.assertEqual(self.location("/dir?"), "/dir/")

    def test_itDoesNotLeadToAnotherHost(self) -> None:
        """
        Two slashes would begin the name of one: what the visitor wrote is not repeated.
        """
        os.makedirs(os.path.join(self.root, "evil.example"))
        os.makedirs(os.path.join(self.root, "\\evil"))
        self.assertNotFound("//evil.example", "///evil.example", "//evil.example/..")
        self.assertEqual(self.location("/%5Cevil"), "/%5Cevil/")
        self.assertEqual(self.location("/evil.example"), "/evil.example/")

    def test_namesAreEncodedAgain(self) -> None:
        """
        No line break, and nothing else that means something in a header or a URL.
        """
        os.makedirs(os.path.join(self.root, "a\r\nSet-Cookie: x=y"))
        os.makedirs(os.path.join(self.root, "q?#%"))
        location = self.location("/a%0d%0aSet-Cookie:%20x=y")
        self.assertEqual(location, "/a%0D%0ASet-Cookie%3A%20x%3Dy/")
        self.assertEqual(self.location("/q%3f%23%25"), "/q%3F%23%25/")


class SpecialFileTests(StaticCase):
    """
    Links, pipes, sockets, devices.
    """

    def test_aLinkInsideTheRootIsFollowed(self) -> None:
        """
        To a file and to a directory, relative and absolute.
        """
        self.link("file-link", "digits.txt")
        self.link("dir-link", os.path.join(self.root, "dir"))
        self.assertServed("/file-link", DIGITS)
        self.assertServed("/dir-link/file.html", b"file")
        self.assertServed("/dir-link/", b"inner")

    def test_aLinkThatLeadsOutIsNot(self) -> None:
        """
        To a file, to a directory, by several steps, and to where the name begins alike.
        """
        self.link("file-link", os.path.join(self.outside, "secret.txt"))
        self.link("dir-link", self.outside)
        self.link("up", "..")
        self.link("two", "dir-link")
        self.link("itself", ".")
        self.link("loop", "loop")
        self.assertNotFound(
            "/file-link",
            "/dir-link/secret.txt",
            "/dir-link",
            "/dir-link/",
            "/up/site-of-somebody-else/secret.txt",
            "/up",
            "/two/secret.txt",
            "/loop",
        )
        self.assertServed("/itself/digits.txt", DIGITS)

    def test_anIndexThatLeadsOutIsNot(self) -> None:
        """
        An index is a file like any other.
        """
        index = os.path.join(self.root, "bare", "index.html")
        os.symlink(os.path.join(self.outside, "secret.txt"), index)
        self.assertNotFound("/bare/")

    def test_aLinkToWhatBeginsWithADotIsNot(self) -> None:
        """
        By no name.
        """
        self.link("link", ".hidden")
        self.link("git", ".git")
        self.assertNotFound("/link", "/git/config")

    def test_theRootItselfMayLieBelowADot(self) -> None:
        """
        What stands before it is the owner's choice.
        """
        self.root = os.path.join(self.root, ".git")
        self.assertServed("/config", b"secret")

    def test_aPipeAndASocketAreNotServedNorWaitedFor(self) -> None:
        """
        Opening a pipe would wait for somebody to write to it.
        """
        os.mkfifo(os.path.join(self.root, "pipe"))
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.open(".", os.O_RDONLY)
            try:
                os.chdir(self.root)  # a socket's path is at most 107 bytes
                listener.bind("socket")
            finally:
                os.fchdir(here)
                os.close(here)
            before = time.monotonic()
            self.assertNotFound("/pipe", "/socket")
            self.assertLess(time.monotonic() - before, 5)

    def test_aLinkToADeviceIsNotServed(self) -> None:
        """
        It has no end.
        """
        self.link("zero", "/dev/zero")
        self.link("null", "/dev/null")
        self.assertNotFound("/zero", "/null")

    def test_nothingIsDoneToWhatALinkLeadsTo(self) -> None:
        """
        A pipe is not opened, by which its writer would go on; only what is to be served is.
        """
        pipe = os.path.join(self.outside, "pipe")
        os.mkfifo(pipe)
        self.link("pipe", pipe)
        self.link("tty", "/dev/ptmx")
        self.link("secret", os.path.join(self.outside, "secret.txt"))
        real, reading = os.open, []

        def watched(path: str, flags: int, *rest: int) -> int:
            if not flags & os.O_PATH:
                reading.append(path)
            return real(path, flags, *rest)

        self.patch(os, "open", watched)
        self.assertNotFound("/pipe", "/tty", "/secret", "/.hidden")
        self.assertEqual(reading, [])
        self.assertServed("/digits.txt", DIGITS)
        self.assertEqual(len(reading), 1)
        with self.assertRaises(OSError) as caught:
            real(pipe, os.O_WRONLY | os.O_NONBLOCK)
        self.assertEqual(caught.exception.errno, errno.ENXIO)

    def test_theTypeIsThatOfTheNameThatWasAskedFor(self) -> None:
        """
        Not of the one that a link leads to.
        """
        self.link("page.html", "digits.txt")
        self.link("plain", "digits.txt")
        self.assertServed("/page.html", DIGITS)
        for path, kind in (
            ("/page.html", "text/html"),
            ("/plain", "application/octet-stream"),
            ("/", "text/html"),
        ):
            self.assertEqual(self.get(path).headers["content-type"], kind)

    def test_aWantOfDescriptorsIsSaidToBeOne(self) -> None:
        """
        503 (RFC 9110 15.6.4), for HEAD too: the file is there. Afterwards it is served again, and
        no descriptor was left open.
        """
        before = len(os.listdir("/proc/self/fd"))
        real = os.open
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO):
            for failing in (1, 2):  # the place, or the file
                calls: list[str] = []

                def refuse(
                    path: str, flags: int, calls: list[str] = calls, point: int = failing
                ) -> int:
                    calls.append(path)
                    if len(calls) == point:
                        raise OSError(number, os.strerror(number))  # noqa: B023
                    return real(path, flags)

                patched = self.patch(os, "open", refuse)
                page = self.get("/digits.txt")
                calls.clear()
                head = self.get("/digits.txt", method="HEAD")
                patched.restore()
                self.assertEqual(page.status, "HTTP/1.1 503 Service Unavailable")
                self.assertEqual((head.code, head.body), (503, b""))
                self.assertServed("/digits.txt", DIGITS)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_aFileThatMayNotBeReadIsNotFound(self) -> None:
        """
        No error of ours. (Root may read everything: it is made to fail.)
        """

        def refuse(path: str, flags: int) -> int:
            raise PermissionError(13, "Permission denied")

        self.patch(os, "open", refuse)
        self.assertNotFound("/digits.txt")

    def test_aRootThatIsGoneIsNotFound(self) -> None:
        """
        The rest of the server goes on.
        """
        self.root = os.path.join(self.root, "gone")
        self.assertNotFound("/", "/digits.txt")


class RangeTests(StaticCase):
    """
    Range requests (RFC 9110 14).
    """

    def ranged(self, value: str, *headers: str, path: str = "/digits.txt") -> tuple[int, bytes]:
        response = self.get(path, f"Range: {value}", *headers)
        if response.code != 416:
            self.assertEqual(int(response.headers["content-length"]), len(response.body))
        if response.code == 206:
            self.contentRange = response.headers["content-range"]
        else:
            self.assertTrue(response.code == 416 or "content-range" not in response.headers)
        return response.code, response.body

    def test_oneRangeIsServed(self) -> None:
        """
        From and to, from, and the last ones.
        """
        for value, body, where in (
            ("bytes=2-4", b"234", "2-4"),
            ("bytes=0-0", b"0", "0-0"),
            ("bytes=7-", b"789", "7-9"),
            ("bytes=-3", b"789", "7-9"),
            ("bytes=-10", DIGITS, "0-9"),
            ("bytes=8-99", b"89", "8-9"),
            ("bytes=0-999999999999999999", DIGITS, "0-9"),
        ):
            self.assertEqual(self.ranged(value), (206, body), value)
            self.assertEqual(self.contentRange, f"bytes {where}/10", value)

    def test_aSuffixLongerThanTheFileIsAllOfIt(self) -> None:
        """
        RFC 9110 14.1.2: the entire representation.
        """
        for value in ("bytes=-11", "bytes=-999999999999999999"):
            self.assertEqual(self.ranged(value), (206, DIGITS), value)
            self.assertEqual(self.contentRange, "bytes 0-9/10")

    def test_aRangeBehindTheEndIsNotSatisfiable(self) -> None:
        """
        416 (RFC 9110 15.5.17).
        """
        for value in ("bytes=10-", "bytes=10-12", "bytes=-0"):
            self.assertEqual(self.ranged(value), (416, b""), value)

    def test_manyRangesAreTheWholeFile(self) -> None:
        """
        Which RFC 9110 14.2 allows: many would multiply what a short request makes us send.
        """
        for value in ("bytes=0-1,3-4", "bytes=0-,0-,0-,0-", "bytes=0-1,", "bytes=,0-1"):
            self.assertEqual(self.ranged(value), (200, DIGITS), value)

    def test_aRangeThatIsNoneIsTheWholeFile(self) -> None:
        """
        RFC 9110 14.2: an invalid one is ignored.
        """
        for value in (
            "bytes=4-2",
            "bytes=99-98",
            "bytes = 4 - 2",
            "bytes=-",
            "bytes=a-b",
            "lines=1-2",
            "bytes",
            "bytes=0-1-2",
            "bytes=" + "9" * 5000 + "-",
            "bytes=\xb2-",
        ):
            self.assertEqual(self.ranged(value), (200, DIGITS), value)

    def test_twoRangeHeadersAreNotMore(self) -> None:
        """
        The last one, or none: never parts.
        """
        code, body = self.ranged("bytes=0-1", "Range: bytes=3-4")
        self.assertIn((code, body), [(200, DIGITS), (206, b"34")])

    def test_withIfRangeItIsTheWholeFile(self) -> None:
        """
        RFC 9110 13.1.5: the date would have to be compared; the whole is always right.
        """
        date = datetimeToString(CHANGED).decode()
        for value in (date, '"tag"'):
            answer = self.ranged("bytes=0-1", f"If-Range: {value}")
            self.assertEqual(answer, (200, DIGITS))

    def test_aRangeOfAnEmptyFile(self) -> None:
        """
        There is nothing in it.
        """
        for value in ("bytes=0-", "bytes=-1", "bytes=0-0"):
            self.assertIn(self.ranged(value, path="/empty.txt"), [(416, b""), (200, b"")])

    def test_anIndexHasRangesToo(self) -> None:
        """
        It is a file like any other.
        """
        self.assertEqual(self.ranged("bytes=1-1", path="/"), (206, b"p"))


class ConditionalTests(StaticCase):
    """
    HEAD, and what the visitor has already.
    """

    def test_headHasTheHeadersOfGetAndNoBody(self) -> None:
        """
        RFC 9110 9.3.2.
        """
        for path in ("/digits.txt", "/", "/empty.txt", "/none"):
            expected, response = self.get(path), self.get(path, method="HEAD")
            self.assertEqual((response.code, response.body), (expected.code, b""), path)
            for headers in (expected.headers, response.headers):
                headers.pop("date")
            self.assertEqual(response.headers, expected.headers, path)

    def test_headOfADirectoryIsTheRedirect(self) -> None:
        """
        To the same place.
        """
        response = self.get("/dir", method="HEAD")
        self.assertEqual((response.code, response.headers["location"]), (301, "/dir/"))

    def test_whatDidNotChangeIsNotSentAgain(self) -> None:
        """
        304 (RFC 9110 13.1.3).
        """
        date = datetimeToString(CHANGED).decode()
        self.assertEqual(self.get("/digits.txt").headers["last-modified"], date)
        for seconds, code in ((0, 304), (100, 304), (-100, 200)):
            since = datetimeToString(CHANGED + seconds).decode()
            response = self.get("/digits.txt", f"If-Modified-Since: {since}")
            self.assertEqual((response.code, response.body), (code, b"" if code == 304 else DIGITS))

    def test_aDateThatIsNoneIsIgnored(self) -> None:
        """
        The whole file comes.
        """
        for value in ("yesterday", "", "Thu, 99 Foo 2026 99:99:99 GMT"):
            self.assertEqual(self.get("/digits.txt", f"If-Modified-Since: {value}").code, 200)


class ChangingFileTests(StaticCase):
    """
    A file that changes while it is sent.
    """

    size = 300_000

    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.join(self.root, "large.bin")
        self.write(self.path, b"a" * self.size)
        self.channel, self.transport = self.connect()
        self.channel.dataReceived(b"GET /large.bin HTTP/1.1\r\nHost: h\r\n\r\n")

    def body(self) -> bytes:
        for _ in range(100):
            self.clock.advance(0.01)
        return self.transport.value().partition(b"\r\n\r\n")[2]

    def test_aFileThatGrowsIsCutAtTheAnnouncedLength(self) -> None:
        """
        What stands behind it would be read as the next answer.
        """
        with open(self.path, "ab") as file:
            file.write(b"b" * self.size)
        self.assertEqual(self.body(), b"a" * self.size)
        self.assertIn(b"Content-Length: 300000\r\n", self.transport.value())
        self.transport.clear()
        self.channel.dataReceived(b"HEAD /digits.txt HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_aFileThatShrinksEndsTheConnection(self) -> None:
        """
        Nothing else tells the visitor that bytes are missing.
        """
        self.clock.advance(0.01)
        os.truncate(self.path, 10)
        body = self.body()
        self.assertIn(b"Content-Length: 300000\r\n", self.transport.value())
        self.assertTrue(0 < len(body) < self.size)
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(openFiles(self.path), 0)

    def test_aRangeOfAFileThatShrinksEndsTheConnectionToo(self) -> None:
        """
        Here, before its first byte is sent.
        """
        self.channel, self.transport = self.connect()
        self.channel.dataReceived(
            b"GET /large.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=100-\r\n\r\n"
        )
        os.truncate(self.path, 10)
        self.assertEqual(self.body(), b"")
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aRangeOfAFileThatGrowsIsCutAtItsEnd(self) -> None:
        """
        As it was announced.
        """
        self.channel, self.transport = self.connect()
        self.channel.dataReceived(
            b"GET /large.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=100-\r\n\r\n"
        )
        with open(self.path, "ab") as file:
            file.write(b"b" * self.size)
        self.assertEqual(self.body(), b"a" * (self.size - 100))
        self.assertFalse(self.transport.disconnecting)

    def test_aFileThatIsReplacedIsSentAsItWasOpened(self) -> None:
        """
        What was opened is sent, whatever the name means now.
        """
        self.write(self.path + ".new", b"b" * self.size)
        os.replace(self.path + ".new", self.path)
        self.assertEqual(self.body(), b"a" * self.size)

    def test_aVisitorWhoLeavesClosesTheFile(self) -> None:
        """
        No descriptor is left open.
        """
        self.assertEqual(openFiles(self.path), 1)
        self.transport.producer.stopProducing()  # as a transport does when it is lost
        self.channel.connectionLost(None)
        self.assertEqual(openFiles(self.path), 0)

    def test_afterTheLastByteTheFileIsClosed(self) -> None:
        """
        And the producer is done.
        """
        self.body()
        self.assertEqual(openFiles(self.path), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


def openFiles(path: str) -> int:
    """
    How many descriptors of this process have a file open.
    """
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}") == path
        except OSError:
            continue
    return count


class DescriptorTests(StaticCase):
    """
    Every answer gives its descriptors back.
    """

    def test_noAnswerLeavesADescriptorOpen(self) -> None:
        """
        A file, HEAD, 304, 416, a redirect, an index, one that is a directory or a pipe, what is not
        found, what leads out, what is no file.
        """
        self.link("out", os.path.join(self.outside, "secret.txt"))
        self.link("null", "/dev/null")
        os.mkfifo(os.path.join(self.root, "pipe"))
        os.makedirs(os.path.join(self.root, "folder", "index.html"))
        os.makedirs(os.path.join(self.root, "pipes"))
        os.mkfifo(os.path.join(self.root, "pipes", "index.html"))
        since = f"If-Modified-Since: {datetimeToString(CHANGED).decode()}"
        for path, method, *headers in (
            ("/digits.txt", "GET"),
            ("/digits.txt", "HEAD"),
            ("/digits.txt", "GET", since),
            ("/digits.txt", "GET", "Range: bytes=99-"),
            ("/digits.txt", "GET", "Range: bytes=1-2"),
            ("/digits.txt", "POST"),
            ("/empty.txt", "GET"),
            ("/dir", "GET"),
            ("/dir/", "GET"),
            ("/", "GET"),
            ("/bare/", "GET"),
            ("/none", "GET"),
            ("/out", "GET"),
            ("/pipe", "GET"),
            ("/null", "GET"),
            ("/folder/", "GET"),
            ("/pipes/", "GET"),
        ):
            before = len(os.listdir("/proc/self/fd"))
            self.get(path, *headers, method=method)
            self.assertEqual(len(os.listdir("/proc/self/fd")), before, path)

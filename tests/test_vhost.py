"""
HTTP by local address: raw requests on a real site, over connections in memory.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.hosts.model import Host, Site, StaticSite, WelcomeSite
from prefix64.hosts.table import CurrentTable, HostTable, Match
from prefix64.ownership import Ownership
from prefix64.web.access_log import MOST_FIELD, escaped
from prefix64.web.connection import MOST_BODY
from prefix64.web.site import END_TIMEOUT, AddressSite
from prefix64.web.sites import SiteResources
from prefix64.web.static import StaticFiles
from prefix64.web.vhost import AddressVirtualHost
from prefix64.web.welcome import WelcomePage

examples = settings(max_examples=200, deadline=None, derandomize=True)

SERVED = parsePrefix("2001:db8::/64")
OWN = "2001:db8::5"
CAFE = "2001:db8::cafe"
LISTED = "2001:db8::ab01"
PEER = IPv6Address("TCP", "2001:db8:77::9", 50000)


class CountingTable(HostTable):
    """
    A table that counts how often it is asked.
    """

    asked = 0

    def lookup(self, address: int) -> Match:
        type(self).asked += 1
        return super().lookup(address)


class SiteName(Resource):
    """
    A site whose every page is its own name; C{/later} waits until it is told to end.
    """

    isLeaf = True

    def __init__(self, name: str, waiting: list[Request]) -> None:
        super().__init__()
        self._name = name.encode()
        self._waiting = waiting

    def render(self, request: Request) -> bytes | int:
        if request.path == b"/later":
            self._waiting.append(request)
            return NOT_DONE_YET
        return self._name


class Connection:
    """
    A client's end.
    """

    def __init__(self, site: AddressSite, local: IAddress, peer: IAddress = PEER) -> None:
        self._channel = site.buildProtocol(peer)
        self.transport = StringTransport(local, peer)
        self._channel.makeConnection(self.transport)

    def send(self, data: bytes) -> bytes:
        """
        @return: what came back since the last time.
        """
        self.transport.clear()
        self._channel.dataReceived(data)
        return self.transport.value()

    def get(self, path: str = "/", *headers: str, method: str = "GET") -> tuple[int, bytes]:
        """
        @return: the status and the body.
        """
        lines = [f"{method} {path} HTTP/1.1", *(headers or ("Host: example",)), "", ""]
        answer = self.send("\r\n".join(lines).encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    @property
    def closing(self) -> bool:
        return self.transport.disconnecting

    def lost(self) -> None:
        """
        The connection is gone.
        """
        self._channel.connectionLost(Failure(ConnectionDone()))


def wire(text: str, port: int = 80) -> IPv6Address:
    return IPv6Address("TCP", text, port)


class SiteCase(SynchronousTestCase):
    """
    A site with two host rules and a default, each of which says its name.
    """

    def setUp(self) -> None:
        self.patch(CountingTable, "asked", 0)
        self.clock = MemoryReactorClock()
        self.lines: list[str] = []
        self.waiting: list[Request] = []
        self.served: list[Site] = []
        self.ownership = Ownership(
            (SERVED,),
            (parsePrefix("2001:db8::e000/116"),),
            hostAddresses=frozenset({parseAddress(OWN)}),
            gateways=frozenset({parseAddress("2001:db8::1")}),
            routed=(parsePrefix("2001:db8::d000/116"),),
        )
        rules = [
            Host(parsePrefix(text), StaticSite(text))
            for text in (LISTED, "2001:db8::ab00/120", "2001:db8::/120")
        ]
        self.tables = CurrentTable(CountingTable(self.ownership, rules, StaticSite("default")))
        self.site = AddressSite(
            AddressVirtualHost(self.resourceFor), self.tables, self.lines.append, self.clock
        )

    def resourceFor(self, site: Site) -> Resource:
        assert isinstance(site, StaticSite)
        return SiteName(site.root, self.waiting)

    def connect(self, local: str | IAddress = CAFE, peer: IAddress = PEER) -> Connection:
        return Connection(self.site, wire(local) if isinstance(local, str) else local, peer)


class ChoiceTests(SiteCase):
    """
    Which site a request gets.
    """

    def test_theSiteIsTheLocalAddresses(self) -> None:
        """
        The address that the connection came in at: exact, sub-prefix, default.
        """
        for local, name in (
            (LISTED, LISTED),
            ("2001:db8::abff", "2001:db8::ab00/120"),
            (CAFE, "default"),
        ):
            self.assertEqual(self.connect(local).get(), (200, name.encode()))

    def test_theHostHeaderIsNeverLookedAt(self) -> None:
        """
        Whatever it says, empty or malformed: the local address decides.
        """
        for headers in (
            (f"Host: [{LISTED}]",),
            (f"Host: {LISTED}",),
            ("Host: ",),
            ("Host: 192.0.2.1:80",),
            ("Host: [::1", "X-Forwarded-Host: [2001:db8::ab01]", "Forwarded: host=x;for=y"),
        ):
            self.assertEqual(self.connect().get("/", *headers), (200, b"default"), headers)

    def test_aRequestWithoutExactlyOneHostIsBad(self) -> None:
        """
        400 (RFC 9112 3.2), on a page of ours, at every address and for every method; it is logged,
        and the connection goes on.
        """
        for headers in (
            ("Accept: */*",),
            (f"Host: [{LISTED}]", "Host: example.org"),
            ("Host:",) * 3,
        ):
            for local in (CAFE, LISTED, "2001:db8:1::1"):
                connection = self.connect(local)
                for method in ("GET", "POST", "BREW"):
                    code, body = connection.get("/", *headers, method=method)
                    self.assertEqual(code, 400, headers)
                    self.assertIn(b"A request has one Host header.", body)
                    self.assertIn(f'"{method} / HTTP/1.1" 400 {len(body)} ', self.lines[-1])
                self.assertEqual(connection.get("/", *headers, method="HEAD"), (400, b""))
                self.assertNotEqual(connection.get()[0], 400)

    def test_http10NeedsNoHost(self) -> None:
        """
        Nor does it mind two.
        """
        for headers in (b"", b"Host: a\r\n", b"Host: a\r\nHost: b\r\n"):
            answer = self.connect().send(b"GET / HTTP/1.0\r\n" + headers + b"\r\n")
            self.assertTrue(answer.startswith(b"HTTP/1.0 200 OK\r\n"), headers)

    def test_aTargetInAbsoluteFormDoesNotChooseTheSite(self) -> None:
        """
        RFC 9112 3.2.2: it must be understood; what it names is not for the visitor to choose.
        """
        for target in (
            f"http://[{LISTED}]/",
            f"http://[{LISTED}]",
            "http://example.org/x/y",
            f"HTTP://[{LISTED}]/",
            "hTTps://example.org/",
        ):
            self.assertEqual(self.connect().get(target), (200, b"default"), target)

    def test_theSchemeOfATargetIsOfAnyCase(self) -> None:
        """
        RFC 3986 3.1; the path behind it is the request's.
        """
        for target in ("http://h/later", "HTTP://h/later", "HttpS://h/later"):
            self.connect().send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        self.assertEqual([request.path for request in self.waiting], [b"/later"] * 3)

    def test_thePortDoesNotMatter(self) -> None:
        """
        Nor does the peer.
        """
        self.assertEqual(self.connect(wire(LISTED, 8080)).get(), (200, LISTED.encode()))
        self.assertEqual(self.connect(LISTED, wire(CAFE)).get(), (200, LISTED.encode()))

    def test_theSpellingOfTheAddressDoesNotMatter(self) -> None:
        """
        The kernel's own is canonical; others are read all the same.
        """
        local = "2001:0DB8:0:0:0:0:0:AB01"
        self.assertEqual(self.connect(local).get(), (200, LISTED.encode()))

    def test_theHostsOwnAddressHasTheDefault(self) -> None:
        """
        Though a sub-prefix rule covers it.
        """
        self.assertEqual(self.connect(OWN).get(), (200, b"default"))
        self.assertEqual(self.connect("2001:db8::6").get(), (200, b"2001:db8::/120"))

    def test_whatIsNotServedHereIsMisdirected(self) -> None:
        """
        421 (RFC 9110 15.5.20): excluded, routed elsewhere, anycast, a gateway, outside; with a
        scope, of IPv4, and of no network at all. No site is asked.
        """
        for local in (
            wire("2001:db8::e123"),
            wire("2001:db8::d123"),
            wire("2001:db8::"),
            wire("2001:db8::fdff:ffff:ffff:ff80"),
            wire("2001:db8::1"),
            wire("2001:db8:1::1"),
            wire("::1"),
            wire("fe80::1%eth0"),
            wire(f"{LISTED}%eth0"),
            wire(f"{LISTED}%1"),
            wire("::ffff:192.0.2.1"),
            wire("nonsense"),
            IPv4Address("TCP", "192.0.2.1", 80),
            UNIXAddress("/run/prefix64.sock"),
        ):
            for method in ("GET", "POST", "BREW"):
                code, body = self.connect(local).get(method=method)
                self.assertEqual(code, 421, local)
                self.assertIn(b"is not served here", body)

    def test_aServedAddressInAnIpv4MappedFormIsNotServed(self) -> None:
        """
        Nothing but an IPv6 address of the wire has a site.
        """
        self.assertEqual(self.connect("::ffff:2001:db8").get()[0], 421)


class LookupTests(SiteCase):
    """
    How often the table is asked.
    """

    def test_aConnectionIsLookedUpOnce(self) -> None:
        """
        Not for each request.
        """
        connection = self.connect()
        for _ in range(3):
            self.assertEqual(connection.get(), (200, b"default"))
        self.assertEqual(CountingTable.asked, 1)

    def test_anAddressOfNobodyIsLookedUpOnceToo(self) -> None:
        """
        Being refused is an answer.
        """
        connection = self.connect("2001:db8:1::1")
        for _ in range(3):
            connection.get()
        self.assertEqual(CountingTable.asked, 1)

    def test_aConnectionWithoutARequestIsNotLookedUp(self) -> None:
        """
        Nobody asked.
        """
        self.connect().lost()
        self.assertEqual(CountingTable.asked, 0)

    def test_aChangeOfTheTableIsSeenByTheNextRequest(self) -> None:
        """
        Also on a connection that is open: what is no longer ours is no longer served.
        """
        connection = self.connect()
        self.assertEqual(connection.get()[0], 200)
        cafe = frozenset({parseAddress(CAFE)})
        self.tables.ownershipChanged(Ownership((SERVED,), gateways=cafe))
        self.assertEqual(connection.get()[0], 421)
        self.tables.ownershipChanged(Ownership((SERVED,)))
        self.assertEqual(connection.get(), (200, b"default"))

    def test_connectionsDoNotShareTheirMatches(self) -> None:
        """
        One at another address has another.
        """
        one, other = self.connect(), self.connect(LISTED)
        for _ in range(2):
            self.assertEqual(one.get(), (200, b"default"))
            self.assertEqual(other.get(), (200, LISTED.encode()))


class ResourceTests(SynchronousTestCase):
    """
    The resource of each kind of site.
    """

    def test_aStaticSiteIsItsFilesAndTheWelcomeSiteItsPage(self) -> None:
        """
        Made when first asked for, and kept.
        """
        resources = SiteResources(CurrentTable(HostTable(Ownership((SERVED,)))))
        welcome = resources(WelcomeSite())
        self.assertIsInstance(welcome, WelcomePage)
        self.assertIs(resources(WelcomeSite()), welcome)
        static = resources(StaticSite("/nowhere"))
        self.assertIsInstance(static, StaticFiles)
        self.assertIs(resources(StaticSite("/nowhere")), static)
        self.assertIsNot(resources(StaticSite("/elsewhere")), static)


class AccessLineTests(SiteCase):
    """
    The line of the access log.
    """

    def line(self, connection: Connection, request: bytes) -> str:
        del self.lines[:]
        connection.send(request)
        (line,) = self.lines
        self.assertTrue(line.isascii() and line.isprintable(), line)
        return line

    def test_itHasTheLocalAddressThePeerAndTheRule(self) -> None:
        """
        The combined log format, with the local address before it and the rule last.
        """
        self.site._logDateTime = "[23/Nov/2026:07:30:00 +0000]"
        request = (
            b"GET /x?y=z HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\nUser-Agent: curl/8.14\r\n\r\n"
        )
        self.assertEqual(
            self.line(self.connect(), request),
            f"{CAFE} 2001:db8:77::9 - - [23/Nov/2026:07:30:00 +0000] "
            '"GET /x?y=z HTTP/1.1" 200 7 "http://r/" "curl/8.14" default',
        )

    def test_theRuleIsTheOneThatMatched(self) -> None:
        """
        An address, a sub-prefix, the default, or none; with the status.
        """
        for local, code, rule in (
            (LISTED, 200, LISTED),
            ("2001:db8::abff", 200, "2001:db8::ab00/120"),
            (CAFE, 200, "default"),
            ("2001:db8:1::1", 421, "refused"),
        ):
            line = self.line(self.connect(local), b"GET / HTTP/1.0\r\n\r\n")
            self.assertTrue(line.startswith(f"{local} "), line)
            self.assertIn(f'"GET / HTTP/1.0" {code} ', line)
            self.assertTrue(line.endswith(f'"-" "-" {rule}'), line)

    def test_aSocketWithoutAddressesHasDashes(self) -> None:
        """
        As for everything that is not there.
        """
        connection = self.connect(UNIXAddress("/run/x"), UNIXAddress(None))
        line = self.line(connection, b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(line.startswith("- - - - "), line)

    def test_whatAVisitorWritesDoesNotBreakTheLine(self) -> None:
        """
        Control characters, quotes, backslashes and bytes above ASCII are escaped.
        """
        for raw, text in (
            (b'"', r"\""),
            (b"\\", r"\\"),
            (b"\x1b[2J", r"\x1b[2J"),
            (b"a\tb", r"a\x09b"),
            (b"\xc3\xa9", r"\xc3\xa9"),
            (b"\x7f\x85", r"\x7f\x85"),
        ):
            request = b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: " + raw + b"\r\nReferer: " + raw
            line = self.line(self.connect(), request + b"\r\n\r\n")
            self.assertTrue(line.endswith(f'"{text}" "{text}" default'), line)
        line = self.line(self.connect(), b'GET /"\\ HTTP/1.1\r\n\r\n')
        self.assertIn(r'"GET /\"\\ HTTP/1.1"', line)

    def test_aFieldIsCut(self) -> None:
        """
        What a visitor writes at length is not kept: 1,024 bytes of each field, before they are
        escaped.
        """
        self.assertEqual(escaped(b"x" * MOST_FIELD), "x" * MOST_FIELD)
        self.assertEqual(escaped(b"x" * (MOST_FIELD + 1)), "x" * 1024 + "...")
        self.assertEqual(escaped(b"\x01" * 9000), r"\x01" * 1024 + "...")
        long = b"y" * 5000
        request = b"GET /" + long + b" HTTP/1.0\r\nUser-Agent: " + long + b"\r\n\r\n"
        line = self.line(self.connect(), request)
        self.assertIn(f'"GET /{"y" * 1023}... HTTP/1.0" 200 ', line)
        self.assertTrue(line.endswith(f'"-" "{"y" * 1024}..." default'), line)

    @examples
    @given(st.binary())
    def test_escapedTextIsPrintableAndCanBeReadBack(self, raw: bytes) -> None:
        """
        Printable ASCII, no quote without a backslash, and no two texts alike.
        """
        text = escaped(raw)
        self.assertTrue(text.isascii() and text.isprintable())
        self.assertNotIn('"', text.replace("\\\\", "").replace('\\"', ""))
        if raw and raw != b"-":
            self.assertEqual(text.encode().decode("unicode_escape").encode("latin-1"), raw)

    def test_withoutALogTheRequestIsAnswered(self) -> None:
        """
        C{--access-log none}.
        """
        self.site._writeLine = None
        self.assertEqual(self.connect().get(), (200, b"default"))
        self.assertEqual(self.lines, [])


class BodyTests(SiteCase):
    """
    Bodies, which no site reads.
    """

    head = b"POST / HTTP/1.1\r\nHost: h\r\n"
    tooLarge = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def length(self, number: int) -> bytes:
        return self.head + b"Content-Length: %d\r\n\r\n" % number

    def chunk(self, number: int) -> bytes:
        return b"%x\r\n" % number + b"x" * number + b"\r\n"

    def assertTooLarge(self, connection: Connection, *pieces: bytes) -> None:
        """
        One answer, however much comes behind it; one line in the log; and the end.
        """
        answers = [connection.send(piece) for piece in pieces]
        self.assertEqual(b"".join(answers), self.tooLarge)
        self.assertTrue(connection.closing)
        (line,) = self.lines
        self.assertIn('"POST / HTTP/1.1" 413 ', line)

    def test_aBodyOfTheMostIsTaken(self) -> None:
        """
        64 KiB, announced or in chunks.
        """
        answer = self.connect().send(self.length(MOST_BODY) + b"x" * MOST_BODY)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))
        chunked = self.head + b"Transfer-Encoding: chunked\r\n\r\n"
        halves = self.chunk(MOST_BODY // 2) * 2 + b"0\r\n\r\n"
        self.assertTrue(self.connect().send(chunked + halves).startswith(b"HTTP/1.1 200 "))

    def test_aBodyThatIsAnnouncedAsLargerIsRefusedBeforeItComes(self) -> None:
        """
        413 (RFC 9110 15.5.14), and the connection is closed.
        """
        self.assertTooLarge(self.connect(), self.length(MOST_BODY + 1))

    def test_aVisitorWhoAsksFirstIsToldToGoOn(self) -> None:
        """
        100 (RFC 9110 10.1.1), if the body is one that is taken.
        """
        expect = b"Expect: 100-continue\r\n\r\n"
        connection = self.connect()
        answer = connection.send(self.length(3).replace(b"\r\n\r\n", b"\r\n" + expect))
        self.assertEqual(answer, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertTrue(connection.send(b"abc").startswith(b"HTTP/1.1 200 "))

    def test_aVisitorWhoAsksFirstIsNotToldToGoOnBehindARefusal(self) -> None:
        """
        The refusal is the answer, and there is no other.
        """
        expect = b"Expect: 100-continue\r\n\r\n"
        request = self.length(MOST_BODY + 1).replace(b"\r\n\r\n", b"\r\n" + expect)
        self.assertTooLarge(self.connect(), request)

    def test_aLengthOfTooManyDigitsIsABadRequest(self) -> None:
        """
        Python refuses to read a number of thousands of digits. Nothing behind it is answered.
        """
        behind = b"\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"
        for name in (b"Content-Length: ", b"content-length:", b"CONTENT-LENGTH: \t"):
            for digits in (b"9" * 19, b"9" * 5000, b"0" * 5000, b"x" * 19):
                connection = self.connect()
                answer = connection.send(self.head + name + digits + behind)
                self.assertEqual(answer, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                self.assertTrue(connection.closing)
        self.assertEqual(self.lines, [])
        self.assertTooLarge(self.connect(), self.head + b"Content-Length: " + b"9" * 18 + behind)

    def test_oneThatComesAllTheSameIsNotAnswered(self) -> None:
        """
        Neither it, nor a request behind it.
        """
        body = b"x" * (MOST_BODY + 1) + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        self.assertTooLarge(self.connect(), self.length(MOST_BODY + 1) + body)

    def test_oneInChunksIsRefusedWhenItIsTooMuch(self) -> None:
        """
        One large chunk, or many small ones.
        """
        chunked = self.head + b"Transfer-Encoding: chunked\r\n\r\n"
        behind = b"0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"
        self.assertTooLarge(self.connect(), chunked + self.chunk(MOST_BODY + 1) + behind)
        del self.lines[:]
        small = [self.chunk(1024)] * (MOST_BODY // 1024)
        self.assertTooLarge(self.connect(), chunked, *small, self.chunk(1), behind)

    def test_nothingOfABodyIsKept(self) -> None:
        """
        No memory, no temporary file.
        """
        connection = self.connect()
        connection.send(self.length(MOST_BODY).replace(b"POST / ", b"POST /later "))
        connection.send(b"x" * MOST_BODY)
        (request,) = self.waiting
        self.assertEqual(request.content.read(), b"")

    def test_theNextRequestHasACountOfItsOwn(self) -> None:
        """
        Two bodies on one connection.
        """
        connection = self.connect()
        for _ in range(2):
            answer = connection.send(self.length(MOST_BODY) + b"x" * MOST_BODY)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))

    def test_aFormIsNotRead(self) -> None:
        """
        Nothing is parsed that nobody asked for.
        """
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"
        self.connect().send(self.head.replace(b"/ ", b"/later ") + form)
        self.assertEqual(self.waiting[0].args, {})


class EndTests(SiteCase):
    """
    The end of the server: L{AddressSite.endConnections}.
    """

    def test_withoutConnectionsItIsAtOnce(self) -> None:
        """
        And nothing is left to wait for.
        """
        self.successResultOf(self.site.endConnections())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_idleConnectionsAreClosedAtOnce(self) -> None:
        """
        One that asked nothing, and one whose answer is complete.
        """
        fresh, used = self.connect(), self.connect()
        used.get()
        ended = self.site.endConnections()
        self.assertTrue(fresh.closing and used.closing)
        self.assertNoResult(ended)
        fresh.lost()
        self.assertNoResult(ended)
        used.lost()
        self.successResultOf(ended)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aRequestInFlightIsAnsweredFirst(self) -> None:
        """
        Then its connection is closed.
        """
        connection = self.connect()
        connection.send(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
        ended = self.site.endConnections()
        self.assertFalse(connection.closing)
        (request,) = self.waiting
        request.write(b"done")
        request.finish()
        self.assertIn(b"done", connection.transport.value())
        self.assertTrue(connection.closing)
        self.assertNoResult(ended)
        connection.lost()
        self.successResultOf(ended)

    def test_aRequestThatIsBeingReadIsAnsweredAndItsConnectionClosed(self) -> None:
        """
        The answer says so (RFC 9112 9.6).
        """
        connection = self.connect()
        connection.send(b"GET / HTTP/1.1\r\nHo")
        ended = self.site.endConnections()
        self.assertFalse(connection.closing)
        answer = connection.send(b"st: h\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\ndefault"), answer)
        self.assertIn(b"\r\nconnection: close\r\n", answer.lower())
        self.assertTrue(connection.closing)
        connection.lost()
        self.successResultOf(ended)

    def test_beforeTheEndConnectionsStay(self) -> None:
        """
        And no answer says otherwise.
        """
        connection = self.connect()
        answer = connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertNotIn(b"\r\nconnection:", answer.lower())
        self.assertFalse(connection.closing)

    def test_aRequestThatTakesTooLongIsCut(self) -> None:
        """
        After a number of seconds, and not before.
        """
        connection = self.connect()
        connection.send(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
        ended = self.site.endConnections()
        self.clock.advance(END_TIMEOUT - 0.01)
        self.assertFalse(connection.closing)
        self.clock.advance(0.01)
        self.assertTrue(connection.transport.disconnected, "aborted")
        connection.lost()
        self.successResultOf(ended)

    def test_aVisitorThatDoesNotCloseIsCutToo(self) -> None:
        """
        An idle connection whose end is not acknowledged.
        """
        connection = self.connect()
        self.site.endConnections()
        self.assertFalse(connection.transport.disconnected)
        self.clock.advance(END_TIMEOUT)
        self.assertTrue(connection.transport.disconnected)

    def test_aConnectionThatIsLostIsForgotten(self) -> None:
        """
        The end does not wait for it.
        """
        self.connect().lost()
        self.successResultOf(self.site.endConnections())

    def test_anIdleConnectionTimesOut(self) -> None:
        """
        It does not stay for ever, on the clock of the site's own reactor.
        """
        connection = self.connect()
        self.clock.advance(self.site.timeOut - 1)
        self.assertFalse(connection.closing)
        self.clock.advance(1)
        self.assertTrue(connection.closing)

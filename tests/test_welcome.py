"""
The welcome page, through a real site: the facts, their three forms, and hostile visitors.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import (
    ADDRESS_BITS,
    Prefix,
    parseAddress,
    parsePrefix,
    parseServedPrefix,
)
from prefix64.errors import AddressError
from prefix64.hosts.model import Host, StaticSite, WelcomeSite
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.ownership import Ownership
from prefix64.web.address_facts import AddressFacts
from prefix64.web.face import face, hueOf
from prefix64.web.facts import connectionFacts, pageUrl
from prefix64.web.negotiation import HTML, JSON, MOST_ACCEPT, TEXT, chosenType
from prefix64.web.pages import HUES
from prefix64.web.welcome import WelcomePage
from tests.test_pages import LOCAL, PEER, Response, exchange, request, tablesFor

FREE = 0xF4EE
IDENTIFIER = 0x1234_ABCD_5678_9ABC
AS_JSON = b"Accept: application/json"
AS_TEXT = b"Accept: text/plain"


def drawing(*values: int) -> Callable[[int], int]:
    """
    Random bits that are known beforehand: one value after the other, and the last for ever.
    """
    left = list(values)
    return lambda bits: left.pop(0) if len(left) > 1 else left[0]


def visit(
    *headers: bytes,
    tables: CurrentTable | None = None,
    randomBits: Callable[[int], int] = lambda bits: FREE,
    path: bytes = b"/",
    method: bytes = b"GET",
    local: str = LOCAL,
    port: int = 80,
    peer: IAddress | None = None,
) -> Response:
    """
    Ask a welcome page.
    """
    tables = tablesFor() if tables is None else tables
    raw = request(method, path, *headers)
    return exchange(WelcomePage(tables, randomBits), tables, raw, local, port, peer)


def shown(response: Response) -> str:
    """
    The text of an HTML page, without its tags and with one blank for each gap.
    """
    body = response.body.decode("utf-8")
    body = body[body.index("<body>") :]
    return " ".join(html.unescape(re.sub("<[^>]*>", "", body)).split())


def leaves(value: object) -> Iterator[str]:
    """
    Every value of a JSON document that is not null, as text.
    """
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif value is not None:
        yield str(value)


class FormsTests(SynchronousTestCase):
    """
    One page, three forms.
    """

    def test_htmlHasEveryFactOfTheJson(self) -> None:
        text = shown(visit())
        facts = json.loads(visit(AS_JSON).body)
        for fact in leaves(facts):
            self.assertIn(fact, text)

    def test_plainTextHasEveryFactOfTheJson(self) -> None:
        text = visit(AS_TEXT).body.decode("utf-8")
        for fact in leaves(json.loads(visit(AS_JSON).body)):
            self.assertIn(fact, text)

    def test_jsonIsThis(self) -> None:
        body = visit(AS_JSON).body.decode("ascii")
        self.assertEqual(
            json.loads(body),
            {
                "url": f"http://[{LOCAL}]/",
                "server": {
                    "address": LOCAL,
                    "full": "2001:0db8:0000:0000:1234:abcd:5678:9abc",
                    "reverseName": "c.b.a.9.8.7.6.5.d.c.b.a.4.3.2.1."
                    "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                    "prefix": "2001:db8::/64",
                    "prefixBits": 64,
                    "identifier": "1234:abcd:5678:9abc",
                    "identifierBits": 64,
                },
                "visitor": {
                    "address": PEER,
                    "full": "2001:0db8:0077:00a0:1f2c:33ff:fe0e:0009",
                    "reverseName": "9.0.0.0.e.0.e.f.f.f.3.3.c.2.f.1."
                    "0.a.0.0.7.7.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                    "prefix": "2001:db8:77:a0::/64",
                    "prefixBits": 64,
                    "identifier": "1f2c:33ff:fe0e:0009",
                    "identifierBits": 64,
                },
                "rule": {
                    "kind": "default",
                    "matched": None,
                    "reason": "no host rule applies to this address",
                },
                "served": {"prefix": "2001:db8::/64", "addresses": "18446744073709551616"},
                "random": "http://[2001:db8::f4ee]/",
            },
        )
        self.assertTrue(body.startswith("{\n  ") and body.endswith("}\n"))

    def test_plainTextHasItsValuesInOneColumn(self) -> None:
        lines = visit(AS_TEXT).body.decode("utf-8").split("\n")
        columns = {
            found.end() for line in lines if (found := re.match(r"  \S.*?\s{2,}(?=\S)", line))
        }
        self.assertEqual(columns, {24})
        self.assertEqual(lines[-1], "")

    def test_titleNamesTheAddress(self) -> None:
        self.assertIn(f"<title>{LOCAL}</title>".encode("ascii"), visit().body)

    def test_contentTypesNameTheirCharset(self) -> None:
        for header, expected in ((b"X: y", HTML), (AS_JSON, JSON), (AS_TEXT, TEXT)):
            headers = visit(header).headers
            self.assertEqual(headers["content-type"], f"{expected}; charset=utf-8")
            self.assertEqual(headers["vary"], "Accept")

    def test_everyFormIsProtected(self) -> None:
        for header in (b"X: y", AS_JSON, AS_TEXT):
            headers = visit(header).headers
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertTrue(headers["content-security-policy"].startswith("default-src 'none'; "))

    def test_headHasNoBodyAndTheSameHeaders(self) -> None:
        for header in (b"X: y", AS_JSON, AS_TEXT):
            expected = visit(header)
            response = visit(header, method=b"HEAD")
            self.assertEqual((response.code, response.body), (200, b""))
            for headers in (expected.headers, response.headers):
                headers.pop("date")
            self.assertEqual(response.headers, expected.headers)
            self.assertEqual(int(response.headers["content-length"]), len(expected.body))


class NegotiationTests(SynchronousTestCase):
    """
    Which form an Accept header gets.
    """

    def test_formFollowsTheHeader(self) -> None:
        for accept, expected in (
            (b"*/*", HTML),
            (b"text/*", HTML),
            (b"text/html", HTML),
            (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
            (b"application/json", JSON),
            (b"APPLICATION/JSON", JSON),
            (b"application/*", JSON),
            (b"application/json, text/html;q=0.9", JSON),
            (b"application/json;q=0.5, text/html;q=0.9", HTML),
            (b"text/html;q=0, */*", JSON),
            (b"text/plain", TEXT),
            (b"text/plain;q=0.9, application/json;q=0.8, */*;q=0.1", TEXT),
            (b"image/png", HTML),
            (b"application/json;q=0", HTML),
            (b"", HTML),
            (b"*", HTML),
            (b",,,", HTML),
            (b"json", HTML),
            (b"a/b/c", HTML),
            (b"application/json;q=nan", JSON),
            (b"\xff\xfe/\x80;q=\xb2", HTML),
        ):
            self.assertEqual(chosenType([accept]), expected, accept)

    def test_withoutHeaderItIsHtml(self) -> None:
        self.assertEqual(chosenType([]), HTML)

    def test_severalHeadersAreOneList(self) -> None:
        self.assertEqual(chosenType([b"text/html;q=0.1", b"text/plain"]), TEXT)

    def test_headerThatIsTooLongIsNotRead(self) -> None:
        accept = b"application/json".ljust(MOST_ACCEPT)
        self.assertEqual(chosenType([accept]), JSON)
        self.assertEqual(chosenType([accept + b" "]), HTML)

    def test_hostileHeaderGetsThePage(self) -> None:
        for accept in (
            b"\xff" * 8000,
            b"a/b," * 2000,
            b'a/b;"' + b";" * 1000,
            b"q=;" * 300,
            b"text/html;q=" + b"9" * 900,
            b"%s%s%n/%(x)s",
        ):
            response = visit(b"Accept: " + accept)
            self.assertEqual(response.code, 200, accept[:20])
            self.assertEqual(response.headers["content-type"], "text/html; charset=utf-8")

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.binary(max_size=2 * MOST_ACCEPT), max_size=3))
    def test_noBytesRaise(self, headers: list[bytes]) -> None:
        self.assertIn(chosenType(headers), (HTML, JSON, TEXT))

    @settings(max_examples=300, deadline=None)
    @given(st.text(alphabet='*/;,=q"\\ .01aé', max_size=80))
    def test_noNearlyRightHeaderRaises(self, accept: str) -> None:
        self.assertIn(chosenType([accept.encode("latin-1")]), (HTML, JSON, TEXT))


class RequestTests(SynchronousTestCase):
    """
    Other paths, other methods, and visitors who write markup.
    """

    def test_anyOtherPathIsNotFoundAndLinksHome(self) -> None:
        for path in (b"/x", b"//", b"/x/", b"/index.html", b"/%2e%2e/", b"/%ff", b"/%00", b"/;x"):
            response = visit(path=path)
            self.assertEqual(response.code, 404, path)
            self.assertIn(b'href="/"', response.body)
            self.assertEqual(response.headers["cache-control"], "no-store")

    def test_queryIsNoPartOfThePath(self) -> None:
        self.assertEqual(visit(path=b"/?x=/y").code, 200)

    def test_otherMethodsAreNotAllowed(self) -> None:
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"BREW"):
            response = visit(method=method)
            self.assertEqual(response.code, 405, method)
            self.assertEqual(response.headers["allow"], "GET, HEAD")
            self.assertEqual(response.headers["x-content-type-options"], "nosniff")

    def test_whatTheVisitorWritesIsNotInTheAnswer(self) -> None:
        evil = b"pwned\"'><script>pwned()</script>&pwned"
        headers = (b"User-Agent: " + evil, b"Referer: " + evil, b"X-Forwarded-For: " + evil)
        quoted = b"pwned%22%3Cscript%3Epwned%3C/script%3E"
        for method in (b"GET", b"POST"):
            for path in (b"/", b"/" + quoted, b"/?" + quoted, b"/pwned<script>"):
                for form in (b"Accept: */*", AS_JSON, AS_TEXT, b"Accept: " + evil):
                    response = visit(*headers, form, method=method, path=path)
                    self.assertIn(response.code, (200, 404, 405))
                    self.assertNotIn(b"pwned", response.body)
                    self.assertNotIn(b"<script", response.body)
                    self.assertNotIn("pwned", str(response.headers))

    def test_hostHeaderChangesNothing(self) -> None:
        tables = tablesFor()
        answers = set()
        for host in (b"example", b"[2001:db8::1]:99", b"pwned", b"127.0.0.1"):
            raw = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
            response = exchange(WelcomePage(tables, drawing(FREE)), tables, raw)
            answers.add((response.code, response.body))
        self.assertEqual(answers, {(200, visit().body)})

    def test_pageHasNoScriptInlineStyleOrForeignAddress(self) -> None:
        body = visit().body.decode("utf-8")
        for word in ("<script", "javascript:", " style=", " onload=", "@import", "url("):
            self.assertNotIn(word, body)
        links = re.findall(r'(?:href|src)="([^"]*)"', body)
        self.assertEqual(
            [link for link in links if not link.startswith("data:image/svg+xml,")],
            ["http://[2001:db8::f4ee]/"],
        )


class RandomTests(SynchronousTestCase):
    """
    Where the link goes, and where it never does.
    """

    def randomOf(self, tables: CurrentTable, *drawn: int, port: int = 80) -> str | None:
        """
        The random URL for some draws: the same in all three forms.
        """
        page: dict[str, str | None] = json.loads(
            visit(AS_JSON, tables=tables, randomBits=drawing(*drawn), port=port).body
        )
        body = visit(tables=tables, randomBits=drawing(*drawn), port=port).body.decode("utf-8")
        found = re.findall(r'<a class="button" href="([^"]*)" rel="nofollow">', body)
        self.assertEqual(found, [] if page["random"] is None else [page["random"]])
        return page["random"]

    def test_linkSkipsWhatIsExcludedListedOrAnycast(self) -> None:
        prefix = parseServedPrefix("2001:db8::/64")
        hosts = [
            Host(parsePrefix("2001:db8::11"), StaticSite("/srv/a")),
            Host(parsePrefix("2001:db8::22:0/112"), WelcomeSite()),
        ]
        ownership = Ownership(
            (prefix,),
            excluded=(parsePrefix("2001:db8::33:0/112"),),
            interfaceAddresses=frozenset({parseAddress("2001:db8::44")}),
            gateways=frozenset({parseAddress("2001:db8::55")}),
        )
        tables = CurrentTable(HostTable(ownership, hosts))
        taken = (0x11, 0x220001, 0x330001, 0x44, 0x55, 0, 0xFDFF_FFFF_FFFF_FFFF)
        self.assertEqual(self.randomOf(tables, *taken, FREE), "http://[2001:db8::f4ee]/")
        for identifier in taken:
            self.assertIsNone(self.randomOf(tables, identifier))

    def test_whereNoneIsFreeThePageSaysSo(self) -> None:
        self.assertIn("There is no random address to visit", shown(visit(randomBits=drawing(0))))
        text = visit(AS_TEXT, randomBits=drawing(0)).body.decode("utf-8")
        self.assertRegex(text, "Random address +none was found free\n")

    def test_bitsOutsideThePrefixAreAskedForNeverAndKeptNever(self) -> None:
        asked: list[int] = []
        visit(tables=tablesFor("2001:db8::1234:abcd:5678:0/112"), randomBits=self.noting(asked))
        self.assertEqual(asked, [16])

    def noting(self, asked: list[int]) -> Callable[[int], int]:
        """
        Random bits that note how many were wanted.
        """

        def randomBits(bits: int) -> int:
            asked.append(bits)
            return FREE

        return randomBits

    def test_linkKeepsThePort(self) -> None:
        self.assertEqual(
            self.randomOf(tablesFor(), FREE, port=8080), "http://[2001:db8::f4ee]:8080/"
        )

    def test_eachVisitDrawsAgain(self) -> None:
        first, second = (visit(randomBits=drawing(bits)).body for bits in (0x1111, 0x2222))
        self.assertIn(b"[2001:db8::1111]", first)
        self.assertIn(b"[2001:db8::2222]", second)

    def test_urlHasThePortUnlessItIsTheSchemesOwn(self) -> None:
        address = parseAddress("2001:db8::1")
        for port, secure, expected in (
            (80, False, "http://[2001:db8::1]/"),
            (443, False, "http://[2001:db8::1]:443/"),
            (443, True, "https://[2001:db8::1]/"),
            (80, True, "https://[2001:db8::1]:80/"),
        ):
            self.assertEqual(pageUrl(address, port, secure), expected)


class VisitorTests(SynchronousTestCase):
    """
    Every kind of peer.
    """

    def visitorOf(self, peer: IAddress) -> str | None:
        """
        The visitor's address in the JSON; the HTML and the text must say the same.
        """
        visitor = json.loads(visit(AS_JSON, peer=peer).body)["visitor"]
        page, text = shown(visit(peer=peer)), visit(AS_TEXT, peer=peer).body.decode("utf-8")
        if visitor is None:
            self.assertIn("The connection does not come from an IPv6 address.", page)
            self.assertIn("not an IPv6 address", text)
            return None
        for fact in leaves(visitor):
            self.assertIn(fact, page)
            self.assertIn(fact, text)
        address: str = visitor["address"]
        return address

    def test_visitorFromLoopbackIsShown(self) -> None:
        self.assertEqual(self.visitorOf(IPv6Address("TCP", "::1", 9)), "::1")

    def test_zoneIsLeftOut(self) -> None:
        peer = IPv6Address("TCP", "fe80::a%eth0", 9, scopeID=2)
        self.assertEqual(self.visitorOf(peer), "fe80::a")
        self.assertNotIn(b"eth0", visit(peer=peer).body)

    def test_mappedVisitorIsShown(self) -> None:
        peer = IPv6Address("TCP", "::ffff:192.0.2.1", 9)
        self.assertEqual(self.visitorOf(peer), "::ffff:192.0.2.1")

    def test_visitorWithoutIpv6IsSaidToHaveNone(self) -> None:
        self.assertIsNone(self.visitorOf(IPv4Address("TCP", "192.0.2.1", 9)))
        self.assertIsNone(self.visitorOf(IPv6Address("TCP", "no address", 9)))

    def test_visitorsPrefixIsTheirSlash64(self) -> None:
        visitor = json.loads(visit(AS_JSON, peer=IPv6Address("TCP", "::1", 9)).body)["visitor"]
        self.assertEqual(
            (visitor["prefix"], visitor["identifier"]), ("::/64", "0000:0000:0000:0001")
        )


class RuleTests(SynchronousTestCase):
    """
    Which rule decided, in words.
    """

    def ruleOf(self, *hosts: str) -> dict[str, str | None]:
        """
        The rule that the page names when there are these hosts.
        """
        ownership = Ownership((parseServedPrefix("2001:db8::/64"),))
        table = HostTable(ownership, [Host(parsePrefix(host), WelcomeSite()) for host in hosts])
        response = visit(AS_JSON, tables=CurrentTable(table))
        rule: dict[str, str | None] = json.loads(response.body)["rule"]
        page = shown(visit(tables=CurrentTable(table)))
        for fact in leaves(rule):
            self.assertIn(fact, page)
        return rule

    def test_defaultIsNamed(self) -> None:
        self.assertEqual(
            self.ruleOf("2001:db8::5"),
            {
                "kind": "default",
                "matched": None,
                "reason": "no host rule applies to this address",
            },
        )

    def test_subPrefixIsNamed(self) -> None:
        self.assertEqual(
            self.ruleOf("2001:db8:0:0:1234::/80"),
            {
                "kind": "sub-prefix",
                "matched": "2001:db8:0:0:1234::/80",
                "reason": "the host rule for 2001:db8:0:0:1234::/80, which this address is in",
            },
        )

    def test_addressIsNamed(self) -> None:
        self.assertEqual(
            self.ruleOf(LOCAL),
            {
                "kind": "address",
                "matched": LOCAL,
                "reason": "the host rule for exactly this address",
            },
        )


class PrefixLengthTests(SynchronousTestCase):
    """
    Prefixes of every length, told apart to the bit.
    """

    def test_pageFollowsTheServedPrefix(self) -> None:
        for prefix, local, identifier, count in (
            ("2001:db8:1::/48", "2001:db8:1:2::3", "0002:0000:0000:0000:0003", 2**80),
            ("2001:db8::/64", "2001:db8::3", "0000:0000:0000:0003", 2**64),
            ("2001:db8::7:0/112", "2001:db8::7:3", "0003", 65536),
            ("2001:db8::6/127", "2001:db8::7", "1", 2),
        ):
            response = visit(AS_JSON, tables=tablesFor(prefix), local=local)
            page = json.loads(response.body)
            self.assertEqual(page["served"], {"prefix": prefix, "addresses": str(count)})
            self.assertEqual(page["server"]["identifier"], identifier)
            self.assertEqual(page["server"]["prefix"], prefix)
            text = shown(visit(tables=tablesFor(prefix), local=local))
            for fact in leaves(page):
                self.assertIn(fact, text)

    def test_longestServedPrefixHasItsOtherAddressToVisit(self) -> None:
        tables = tablesFor("2001:db8::6/127")
        response = visit(AS_JSON, tables=tables, local="2001:db8::7", randomBits=drawing(0))
        self.assertEqual(json.loads(response.body)["random"], "http://[2001:db8::6]/")

    def test_oneBitIsNotPlural(self) -> None:
        page = visit(tables=tablesFor("2001:db8::6/127"), local="2001:db8::7")
        self.assertIn(b"<small>1 bit</small>", page.body)

    def test_bitsBeforeTheLast64AreASubnets(self) -> None:
        text = shown(visit(tables=tablesFor("2001:db8::/48")))
        self.assertIn("Subnet and interface identifier 80 bits", text)
        self.assertNotIn("Subnet", shown(visit(tables=tablesFor("2001:db8::/65"))))

    def test_canonicalTextIsToldApart(self) -> None:
        for address, length, parts in (
            (LOCAL, 64, ("2001:db8::", "", "1234:abcd:5678:9abc")),
            ("2001:db8:1:2:3:4:5:6", 64, ("2001:db8:1:2:", "", "3:4:5:6")),
            ("2001:db8::1", 64, ("2001:db8::", "", "1")),
            ("2001:db8::1", 32, ("2001:db8::", "", "1")),
            ("2001:db8:1::1", 46, ("2001:db8:", "1", "::1")),
            ("2001:db8:0:1::", 64, ("2001:db8:0:1::", "", "")),
            ("2001:db8:0:1::", 48, ("2001:db8:0:", "", "1::")),
            ("2001:db8::7:1234", 112, ("2001:db8::7:", "", "1234")),
            ("2001:db8::7:1234", 116, ("2001:db8::7:1", "", "234")),
            ("2001:db8::7:1234", 118, ("2001:db8::7:1", "2", "34")),
            ("2001:db8::7:1234", 127, ("2001:db8::7:123", "4", "")),
            ("2001:db8::7:4", 112, ("2001:db8::7:", "", "4")),
            ("::1", 64, ("::", "", "1")),
            ("::ffff:192.0.2.1", 64, ("", "", "::ffff:192.0.2.1")),
        ):
            self.assertEqual(self.facts(address, length).canonicalParts(), parts, (address, length))

    def test_fullTextIsToldApart(self) -> None:
        for length, parts in (
            (64, ("2001:0db8:0000:0000:", "", "1234:abcd:5678:9abc")),
            (62, ("2001:0db8:0000:000", "0", ":1234:abcd:5678:9abc")),
            (72, ("2001:0db8:0000:0000:12", "", "34:abcd:5678:9abc")),
            (127, ("2001:0db8:0000:0000:1234:abcd:5678:9ab", "c", "")),
        ):
            self.assertEqual(self.facts(LOCAL, length).fullParts(), parts, length)

    def test_reverseNameIsToldApart(self) -> None:
        identifier, both, prefix = self.facts(LOCAL, 118).reverseNameParts()
        self.assertEqual((identifier, both), ("c.b.", "a."))
        self.assertTrue(prefix.startswith("9.8.7.6.") and prefix.endswith(".2.ip6.arpa"))

    def facts(self, text: str, length: int) -> AddressFacts:
        """
        An address in the prefix of that length.
        """
        address, shift = parseAddress(text), ADDRESS_BITS - length
        return AddressFacts(address, Prefix(address >> shift << shift, length))

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 2**128 - 1), st.integers(0, 8), st.integers(1, 127))
    def test_partsAreTheWholeText(self, address: int, zeros: int, length: int) -> None:
        address = address >> 16 * zeros << 16 * zeros
        shift = ADDRESS_BITS - length
        facts = AddressFacts(address, Prefix(address >> shift << shift, length))
        self.assertEqual("".join(facts.canonicalParts()), facts.canonical)
        self.assertEqual("".join(facts.fullParts()), facts.full)
        self.assertEqual("".join(facts.reverseNameParts()), facts.reverseName)
        digits = re.sub("[:.]|ip6.arpa", "", facts.fullParts()[0])
        self.assertEqual(len(digits), length // 4)
        value = int(facts.identifierText.replace(":", ""), 16)
        self.assertEqual(facts.prefix.network | value, address)

    def test_addressOutsideThePrefixesIsAnError(self) -> None:
        table = tablesFor().table
        match = table.lookup(parseAddress("2001:db8:1::1"))
        self.assertRaises(
            AddressError, connectionFacts, match, table, None, 80, False, drawing(FREE)
        )


class FaceTests(SynchronousTestCase):
    """
    The drawing of the bits.
    """

    def cells(self, text: str, length: int) -> dict[str, int]:
        """
        How many cells of each kind an address's face has.
        """
        address, shift = parseAddress(text), ADDRESS_BITS - length
        facts = AddressFacts(address, Prefix(address >> shift << shift, length))
        paths = re.findall(r'<path class="([a-z ]+)" d="([^"]*)"/>', face(facts).text)
        counts: dict[str, int] = {}
        for kind, path in paths:
            self.assertRegex(path, r"\A[MhvzHV0-9 -]*\Z")
            counts[kind] = counts.get(kind, 0) + path.count("z")
        counts.pop("boundary")
        return counts

    def test_eachBitIsACellOfItsKind(self) -> None:
        for length in (48, 50, 64, 112, 127):
            address = parseAddress(LOCAL)
            shift = ADDRESS_BITS - length
            ones = (address >> shift).bit_count()
            own = (address & ((1 << shift) - 1)).bit_count()
            self.assertEqual(
                self.cells(LOCAL, length),
                {
                    "prefix zeros": length - ones,
                    "prefix ones": ones,
                    "identifier zeros": shift - own,
                    "identifier ones": own,
                },
            )

    def test_lineStepsWhereThePrefixEndsInsideAGroup(self) -> None:
        for length, steps in ((64, 0), (72, 1), (127, 1)):
            address, shift = parseAddress(LOCAL), ADDRESS_BITS - length
            facts = AddressFacts(address, Prefix(address >> shift << shift, length))
            (path,) = re.findall(r'<path class="boundary" d="([^"]*)"/>', face(facts).text)
            self.assertEqual(path.count("V"), steps, length)

    def test_hueIsOneOfTheStylesheetsAndDiffersForNeighbors(self) -> None:
        hues = [hueOf(IDENTIFIER + n) for n in range(100)]
        self.assertTrue(all(0 <= hue < HUES for hue in hues))
        self.assertGreater(len(set(hues)), HUES // 2)
        self.assertTrue(all(one != other for one, other in pairwise(hues)))
        self.assertTrue(0 <= hueOf(2**96 - 1) < HUES)

"""
HTML, the headers that protect it, and the error page.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from string import Template

from twisted.internet.address import IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource

from prefix64.addressing import parseServedPrefix
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.ownership import Ownership
from prefix64.web.pages import HUES, STYLESHEET, Page, document, fill, together
from prefix64.web.site import AddressSite

LOCAL = "2001:db8::1234:abcd:5678:9abc"
PEER = "2001:db8:77:a0:1f2c:33ff:fe0e:9"


@dataclass
class Response:
    """
    What came back: the status line, the headers (names in lower case) and the body.
    """

    status: str
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        return int(self.status.split()[1])


def tablesFor(prefix: str = "2001:db8::/64") -> CurrentTable:
    """
    A table with one prefix, and no hosts.
    """
    return CurrentTable(HostTable(Ownership((parseServedPrefix(prefix),))))


def exchange(
    resource: IResource,
    tables: CurrentTable,
    raw: bytes,
    local: str = LOCAL,
    port: int = 80,
    peer: IAddress | None = None,
) -> Response:
    """
    Send the bytes of one request to a real site, and take its answer apart.
    """
    site = AddressSite(resource, tables, None, MemoryReactorClock())
    peer = IPv6Address("TCP", PEER, 50000) if peer is None else peer
    channel = site.buildProtocol(peer)
    transport = StringTransport(IPv6Address("TCP", local, port), peer)
    channel.makeConnection(transport)
    channel.dataReceived(raw)
    head, _, body = transport.value().partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return Response(status, {name.lower(): value for name, value in pairs}, body)


def request(method: bytes = b"GET", path: bytes = b"/", *headers: bytes) -> bytes:
    """
    The bytes of a request without a body.
    """
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: example", *headers]
    return b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n"


class EscapingTests(SynchronousTestCase):
    """
    The one way by which values get into HTML.
    """

    def test_everyValueIsEscapedQuotesToo(self) -> None:
        filled = fill(Template("<a b='$x' c=\"$x\">$x</a>"), x="'\"><script>&")
        harmless = "&#x27;&quot;&gt;&lt;script&gt;&amp;"
        self.assertEqual(filled.text, f"<a b='{harmless}' c=\"{harmless}\">{harmless}</a>")

    def test_whatCameOutOfATemplateIsNotEscapedTwice(self) -> None:
        inner = fill(Template("<b>$x</b>"), x="&")
        self.assertEqual(fill(Template("<i>$x</i>"), x=inner).text, "<i><b>&amp;</b></i>")

    def test_partsStandOneAfterTheOther(self) -> None:
        parts = [fill(Template("<b>$x</b>"), x=number) for number in (1, 2)]
        self.assertEqual(together(parts).text, "<b>1</b><b>2</b>")

    def test_aNameWithoutAValueIsAnError(self) -> None:
        self.assertRaises(KeyError, fill, Template("$x"))

    def test_theTitleIsEscaped(self) -> None:
        page = document("</title><script>", fill(Template("")))
        self.assertIn(b"<title>&lt;/title&gt;&lt;script&gt;</title>", page)


class PageTests(SynchronousTestCase):
    """
    The error page, through a real site.
    """

    def answered(self, page: Page, method: bytes = b"GET") -> Response:
        return exchange(page, tablesFor(), request(method))

    def test_statusAndReasonAreThePagesOwn(self) -> None:
        response = self.answered(Page(421, "Misdirected Request", "Not here."))
        self.assertEqual(response.status, "HTTP/1.1 421 Misdirected Request")
        self.assertIn(b"<h1>Misdirected Request</h1>", response.body)
        self.assertIn(b"Not here.", response.body)

    def test_everyMethodGetsTheSameAnswer(self) -> None:
        page = Page(404, "Not Found", "Nothing.")
        expected = self.answered(page)
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"BREW"):
            response = self.answered(page, method)
            self.assertEqual((response.code, response.body), (404, expected.body), method)

    def test_headHasNoBodyAndTheSameLength(self) -> None:
        page = Page(404, "Not Found", "Nothing.")
        response = self.answered(page, b"HEAD")
        self.assertEqual((response.code, response.body), (404, b""))
        expected = self.answered(page)
        self.assertEqual(response.headers["content-length"], expected.headers["content-length"])
        self.assertEqual(int(response.headers["content-length"]), len(expected.body))

    def test_textIsEscaped(self) -> None:
        response = self.answered(Page(404, "Not Found", "<script>"))
        self.assertIn(b"&lt;script&gt;", response.body)
        self.assertNotIn(b"<script>", response.body)

    def test_linkIsThereOnlyIfAskedFor(self) -> None:
        without = self.answered(Page(404, "Not Found", "Nothing."))
        self.assertNotIn(b'href="/"', without.body)
        self.assertIn(b'href="/"', self.answered(Page(404, "Not Found", "No.", True)).body)

    def test_headersProtectThePage(self) -> None:
        headers = self.answered(Page(404, "Not Found", "Nothing.")).headers
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["referrer-policy"], "no-referrer")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        policy = headers["content-security-policy"].split("; ")
        for directive in (
            "default-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ):
            self.assertIn(directive, policy)
        self.assertNotIn("unsafe", headers["content-security-policy"])

    def test_policyAllowsTheStylesheetThatIsSent(self) -> None:
        response = self.answered(Page(404, "Not Found", "Nothing."))
        (style,) = re.findall(rb"<style>(.*?)</style>", response.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style).digest()).decode("ascii")
        self.assertIn(f"style-src 'sha256-{digest}';", response.headers["content-security-policy"])


class StylesheetTests(SynchronousTestCase):
    """
    What the stylesheet promises: each hue, and contrast in light and in dark.
    """

    def test_eachHueHasItsClass(self) -> None:
        found = re.findall(r"\.hue-(\d+) \{ --hue: (\d+); \}", STYLESHEET.text)
        self.assertEqual(found, [(str(n), str(n * 360 // HUES)) for n in range(HUES)])

    def test_nothingIsFetchedFromOutside(self) -> None:
        for word in ("url(", "@import", "@font-face", "</"):
            self.assertNotIn(word, STYLESHEET.text)

    def test_textHasHighContrastInEveryHue(self) -> None:
        for scheme in self.schemes():
            for text in ("ink", "quiet", "accent"):
                for ground in ("paper", "card", "panel"):
                    self.assertGreater(leastContrast(scheme, text, ground), 6.5, (text, ground))
            self.assertGreater(leastContrast(scheme, "paper", "accent"), 6.5, "the button")

    def test_setBitsStandOutInEveryHue(self) -> None:
        for scheme in self.schemes():
            for ones, zeros in (("on", "off"), ("prefix-on", "prefix-off")):
                self.assertGreater(leastContrast(scheme, ones, "panel"), 3.0, ones)
                self.assertGreater(leastContrast(scheme, ones, zeros), 2.4, ones)

    def schemes(self) -> list[dict[str, tuple[float, float]]]:
        """
        The colours, light ones and dark ones: of each name the lightness and the chroma.
        """
        found = re.findall(
            r"--([a-z-]+): oklch\(([\d.]+)% ([\d.]+) var\(--hue\)\)", STYLESHEET.text
        )
        half = len(found) // 2
        self.assertEqual([name for name, *_ in found[:half]], [name for name, *_ in found[half:]])
        return [
            {name: (float(lightness) / 100, float(chroma)) for name, lightness, chroma in part}
            for part in (found[:half], found[half:])
        ]


def leastContrast(scheme: dict[str, tuple[float, float]], one: str, other: str) -> float:
    """
    The least contrast (WCAG 2.2) of two colours, over all hues.
    """
    contrasts = []
    for hue in range(0, 360, 360 // HUES):
        dark, light = sorted(luminance(*scheme[name], hue) for name in (one, other))
        contrasts.append((light + 0.05) / (dark + 0.05))
    return min(contrasts)


def luminance(lightness: float, chroma: float, hue: int) -> float:
    """
    The relative luminance of an OKLCH colour, cut to what sRGB can show (CSS Color 4).
    """
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(1.0, max(0.0, part)) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

"""
The page that an address has that has no other: what it is, who asks, and where to go from here.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from string import Template

from twisted.internet.address import IPv6Address
from twisted.web.resource import Resource
from twisted.web.server import Request

from prefix64.hosts.table import CurrentTable
from prefix64.web.address_facts import AddressFacts, Parts, bitCount
from prefix64.web.connection import localMatch
from prefix64.web.face import face, hueOf, icon
from prefix64.web.facts import Facts, connectionFacts
from prefix64.web.negotiation import HTML, JSON, chosenType
from prefix64.web.pages import Markup, Page, answer, document, fill, packageText

_WELCOME = Template(packageText("welcome.html"))
_ADDRESS = Template(packageText("address.html"))
_PARTS = Template(
    '<span class="$first">$one</span><span class="both">$two</span>'
    '<span class="$last">$three</span>'
)
_RANDOM = Template(
    '<p class="go"><a class="button" href="$url" rel="nofollow">Visit a random address</a>'
    '<code class="target">$url</code></p>'
)
_NONE_FREE = Template(
    '<p class="go none">There is no random address to visit: of those drawn from '
    "<code>$prefix</code>, each has a site of its own or is not served.</p>"
)
_NO_VISITOR = Markup('<p class="note">The connection does not come from an IPv6 address.</p>')


class WelcomePage(Resource):
    """
    Shows an address to its visitor, as HTML, JSON or plain text. The rest of the site is 404.
    """

    isLeaf = True

    def __init__(
        self, tables: CurrentTable, randomBits: Callable[[int], int] = secrets.randbits
    ) -> None:
        """
        @param tables: where the host table of this moment is found.
        @param randomBits: given a number of bits, an integer of as many random ones.
        """
        super().__init__()
        self._tables = tables
        self._randomBits = randomBits
        self._notFound = Page(404, "Not Found", "This address has one page, at its root.", True)
        self._notAllowed = Page(
            405, "Method Not Allowed", "This page can be read with GET and HEAD only.", True
        )

    def render(self, request: Request) -> bytes:
        """
        Answer GET and HEAD for C{/}. Of any other request nothing is put into the answer.
        """
        if request.postpath != [b""]:
            return self._notFound.render(request)
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("Allow", "GET, HEAD")
            return self._notAllowed.render(request)
        chosen = chosenType(request.requestHeaders.getRawHeaders(b"accept", []))
        request.setHeader("Vary", "Accept")
        return answer(request, chosen, _body(chosen, self._facts(request)))

    def _facts(self, request: Request) -> Facts:
        """
        What there is to say of a request's connection.
        """
        peer = request.getClientAddress()
        return connectionFacts(
            localMatch(request),
            self._tables.table,
            peer.host if isinstance(peer, IPv6Address) else None,
            request.getHost().port,
            bool(request.isSecure()),
            self._randomBits,
        )


def _body(mediaType: str, facts: Facts) -> bytes:
    """
    The facts in one of the three forms.
    """
    if mediaType == HTML:
        return htmlPage(facts)
    text = json.dumps(facts.asDict(), indent=2) + "\n" if mediaType == JSON else facts.asText()
    return text.encode("utf-8")


def htmlPage(facts: Facts) -> bytes:
    """
    The facts as an HTML page.
    """
    server = facts.server
    if facts.random is None:
        go = fill(_NONE_FREE, prefix=str(server.prefix))
    else:
        go = fill(_RANDOM, url=facts.random)
    body = fill(
        _WELCOME,
        hero=_spans(server.canonicalParts()),
        go=go,
        server=_addressCard(server, "served here"),
        serverHue=hueOf(server.identifier),
        visitor=_NO_VISITOR if facts.visitor is None else _addressCard(facts.visitor, "assumed"),
        visitorHue=hueOf(0 if facts.visitor is None else facts.visitor.identifier),
        kind=facts.rule.value,
        reason=facts.reason,
        prefix=str(server.prefix),
        addresses=facts.addresses,
        grouped=f"{facts.addresses:,}",
        bits=server.identifierBits,
        url=facts.url,
    )
    return document(server.canonical, body, hueOf(server.identifier), icon(server))


def _addressCard(facts: AddressFacts, whose: str) -> Markup:
    """
    An address with its face and its forms.

    @param whose: how the length of its prefix is known.
    """
    return fill(
        _ADDRESS,
        face=face(facts),
        canonical=_spans(facts.canonicalParts()),
        full=_spans(facts.fullParts()),
        reverseName=_spans(facts.reverseNameParts(), "identifier", "prefix"),
        prefix=str(facts.prefix),
        prefixBits=bitCount(facts.prefix.length),
        whose=whose,
        identifierName=facts.identifierName,
        identifierBits=bitCount(facts.identifierBits),
        identifier=facts.identifierText,
    )


def _spans(parts: Parts, first: str = "prefix", last: str = "identifier") -> Markup:
    """
    A text told apart, each part in its colour, and nothing between them.
    """
    return fill(_PARTS, first=first, one=parts[0], two=parts[1], last=last, three=parts[2])

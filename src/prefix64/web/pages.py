"""
HTML: its one way out of Python, the headers that every answer carries, and the error page.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from string import Template

from twisted.web.resource import Resource
from twisted.web.server import Request

HTML_TYPE = "text/html"

HUES = 36
"""How many classes C{hue-0}, C{hue-1}... the stylesheet has, ten degrees apart."""

_PLAIN_HUE = 23
_PLAIN_ICON = "M0 2h8M0 3h8M3 5h1M5 5h3M1 6h2M4 6h1M7 6h1"


@dataclass(frozen=True, slots=True)
class Markup:
    """
    HTML in which nothing is left to escape. Made here and nowhere else: by L{fill}, by L{together},
    and once from the stylesheet.
    """

    text: str


def packageText(name: str) -> str:
    """
    Read a file that is delivered beside this module.
    """
    return resources.files("prefix64.web").joinpath(name).read_text(encoding="utf-8")


def fill(template: Template, **values: str | int | Markup) -> Markup:
    """
    Put values into a template: the only way by which a value gets into HTML.

    Every value is escaped, quotes too, so that it can stand between tags and in a quoted attribute.
    Only L{Markup}, which came out of here, is not escaped twice.

    @param values: one for each name in the template.
    @raise KeyError: the template has a name that has no value.
    """
    return Markup(
        template.substitute(
            {
                name: value.text if isinstance(value, Markup) else html.escape(str(value), True)
                for name, value in values.items()
            }
        )
    )


def together(parts: Iterable[Markup]) -> Markup:
    """
    One piece of HTML after the other.
    """
    return Markup("".join(part.text for part in parts))


STYLESHEET = Markup(packageText("page.css"))
_DOCUMENT = Template(packageText("page.html"))
_MESSAGE = Template(packageText("message.html"))
_LINK_HOME = Markup(
    '<p class="go"><a class="button" href="/">Go to this address\u2019s page</a></p>'
)


def contentSecurityPolicy() -> str:
    """
    What a browser may do with the pages: apply the one stylesheet, by its hash, and show the icon.
    """
    digest = hashlib.sha256(STYLESHEET.text.encode("utf-8")).digest()
    return (
        "default-src 'none'; "
        f"style-src 'sha256-{base64.b64encode(digest).decode('ascii')}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


PROTECTION = {
    "Content-Security-Policy": contentSecurityPolicy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def protect(request: Request) -> None:
    """
    Set the headers that keep a browser from doing anything but show the page.
    """
    for name, value in PROTECTION.items():
        request.setHeader(name, value)


def answer(request: Request, mediaType: str, body: bytes) -> bytes:
    """
    Set the headers of a complete answer.

    @param mediaType: without C{charset}, which is UTF-8.
    @return: what C{render} must return: for HEAD nothing, under the headers that GET would have.
    """
    protect(request)
    request.setHeader("Content-Type", f"{mediaType}; charset=utf-8")
    request.setHeader("Content-Length", str(len(body)))
    return b"" if request.method == b"HEAD" else body


def document(title: str, body: Markup, hue: int = _PLAIN_HUE, icon: str = _PLAIN_ICON) -> bytes:
    """
    A whole HTML page, in UTF-8.

    @param hue: the class of its colour, from 0 and less than L{HUES}.
    @param icon: the path of the favicon's strokes, in a square of 8 by 8.
    """
    page = fill(
        _DOCUMENT,
        title=title,
        stylesheet=STYLESHEET,
        hue=hue,
        degrees=hue * (360 // HUES),
        icon=icon,
        body=body,
    )
    return page.text.encode("utf-8")


class Page(Resource):
    """
    An error page: the same answer to every method and path.
    """

    isLeaf = True

    def __init__(self, code: int, title: str, text: str, link: bool = False) -> None:
        """
        @param code: the status of the answer.
        @param title: its name, in ASCII: also the reason phrase.
        @param text: what it means, in a sentence.
        @param link: whether the page links to C{/}.
        """
        super().__init__()
        self._code = code
        self._reason = title.encode("ascii")
        home = _LINK_HOME if link else Markup("")
        self._body = document(
            f"{code} {title}", fill(_MESSAGE, code=code, title=title, text=text, home=home)
        )

    def render(self, request: Request) -> bytes:
        """
        Answer any request, whatever its method.
        """
        request.setResponseCode(self._code, self._reason)
        return answer(request, HTML_TYPE, self._body)

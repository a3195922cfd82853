"""
Which form of a page a visitor wants: HTML, JSON or plain text, by the Accept header.
"""

from __future__ import annotations

from collections.abc import Sequence

import mimeparse

HTML = "text/html"
JSON = "application/json"
TEXT = "text/plain"

MOST_ACCEPT = 1024
"""
The most bytes of an Accept header that are looked at: a browser sends about 150, and reading one
takes a time that grows with its square.
"""

_LEAST_WANTED_FIRST = [TEXT, JSON, HTML]


def chosenType(headers: Sequence[bytes]) -> str:
    """
    Choose by the media ranges and their weights (RFC 9110 12.5.1).

    HTML is for everybody who does not ask for something else: no header, C{*/*}, one that is
    malformed or too long, or one that accepts none of the three (the header may be disregarded).

    @param headers: the values of all Accept headers, in order.
    @return: L{HTML}, L{JSON} or L{TEXT}.
    """
    accept = b", ".join(headers)
    if len(accept) > MOST_ACCEPT:
        return HTML
    try:
        chosen: str = mimeparse.best_match(_LEAST_WANTED_FIRST, accept.decode("latin-1").lower())
    except ValueError:
        return HTML
    return chosen or HTML

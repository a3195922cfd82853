"""
Errors in the words of an endpoint's description, where C{--prefix P} is C{prefix=P}.
"""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import Any

from twisted.internet.error import CannotListenError

from prefix64.errors import ListenError, Prefix64Error
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy, RouterFlag
from prefix64.link_options import FLAGS, LISTS, WORDS
from prefix64.routing.entries import Way
from prefix64.settings import EchoMode, NdpMode
from prefix64.web.listening import whyNot

_NAMES = "|".join(
    sorted((*WORDS, *LISTS, *FLAGS, "state", "hosts", "backlog", "port"), reverse=True)
)
_CHOICES = "|".join(
    choice.value
    for choices in (
        Way, NdpMode, EchoMode, DadPolicy, AdvertisementSource, RouterFlag, RespondPolicy
    )
    for choice in choices
)  # fmt: skip
_OPTION = re.compile(
    rf"--({_NAMES})\b(?!-)"
    rf"(?: ('[^']*'|(?:{_CHOICES})(?![\w-])|(?=[^\s']*[0-9])[^\s']*[^\s',:.()]))?"
)
"""
An option of the command line, and behind it perhaps a value: it is quoted, is one of those that
there are to choose from, or has a digit.
"""

_OF_THE_COMMAND_LINE = {" with --http PORT": "", " (--http)": "", "--http ": "port "}


class EndpointError(Prefix64Error, ValueError):
    """
    The description of an endpoint has a value that cannot be, or two endpoints of one interface
    contradict each other. A L{ValueError}, as Twisted's own parsers raise it.
    """


class PortError(CannotListenError, ListenError):
    """
    The port cannot be listened on. A L{CannotListenError}, as of every endpoint, with one line for
    a person.
    """

    def __str__(self) -> str:
        return inEndpointWords(whyNot(self.port, self.socketError))


def inEndpointWords(text: str) -> str:
    """
    Translate an error of the command line.
    """
    for words, others in _OF_THE_COMMAND_LINE.items():
        text = text.replace(words, others)
    return _OPTION.sub(_argument, text)


def _argument(found: re.Match[str]) -> str:
    """
    An option as the argument of a description; what is given without quotes can be copied.
    """
    name, value = found[1], found[2]
    if value is None:
        return name
    return f"{name}={value}" if value[0] == "'" else f"{name}={escaped(value)}"


def escaped(value: str) -> str:
    r"""
    A value as it is written in a description: C{2001\:db8\:\:/64}.
    """
    return value.replace("\\", "\\\\").replace(":", "\\:")


def translated(error: Prefix64Error) -> Prefix64Error:
    """
    An error of the same kind, in the words of a description.
    """
    if isinstance(error, PortError):
        return error
    return type(error)(inEndpointWords(str(error)))


def sayInOneLine() -> None:
    """
    From now on have an error of prefix64 that nobody catches, and that ends the process, be printed
    as its line, without a traceback: twistd catches none. Other errors are printed as before.
    """
    if not isinstance(sys.excepthook, _OneLine):
        sys.excepthook = _OneLine(sys.excepthook)


class _OneLine:
    """
    What prints errors that nobody catches (L{sys.excepthook}).
    """

    def __init__(self, others: Any) -> None:
        """
        @param others: what prints other errors.
        """
        self._others = others

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """
        Print an error.
        """
        if isinstance(error, Prefix64Error):
            print(f"prefix64: {error}", file=sys.stderr, flush=True)
        else:
            self._others(kind, error, trace)

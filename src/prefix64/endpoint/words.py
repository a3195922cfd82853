"""
Errors in the words of an endpoint's description, where C{--prefix P} is C{prefix=P}.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from twisted.internet.error import CannotListenError

from prefix64.errors import ListenError, Prefix64Error
from prefix64.option_text import OptionText
from prefix64.web.listening import whyNot


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
        text = whyNot(self.port, self.socketError).spelled(inDescription)
        for words in _OF_THE_COMMAND_LINE:
            text = text.replace(words, "")
        return text


_OF_THE_COMMAND_LINE = (" with port=PORT", " (port)")
"""Of the text for a port: what a description that begins with it need not be told."""


def inDescription(name: str, value: str) -> str:
    r"""
    An option as the argument of a description; a value without quotes can be copied:
    C{prefix=2001\:db8\:\:/64}.
    """
    name = "port" if name == "http" else name
    if not value:
        return name
    return f"{name}={value}" if value[0] in "'\"" else f"{name}={escaped(value)}"


def inEndpointWords(error: Prefix64Error) -> str:
    """
    The text of an error, with options as arguments of a description.
    """
    text = error.args[0] if error.args else ""
    return text.spelled(inDescription) if isinstance(text, OptionText) else str(error)


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
    return type(error)(inEndpointWords(error))


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

"""
What can go wrong, each as one line for a person: the value, what is wrong with it, what to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from prefix64.option_text import OptionText, Origin


class Prefix64Error(Exception):
    """
    The base of every error that prefix64 raises on purpose. Its text is one line: a string, or an
    L{OptionText}, which is spelled for whoever gave the options.

    @ivar origin: where the options were given, if that is known.
    """

    origin: Origin | None = None

    def __str__(self) -> str:
        text = self.args[0] if self.args else ""
        if self.origin is not None and isinstance(text, OptionText):
            return self.origin.spelled(text)
        return super().__str__()


@contextlib.contextmanager
def givenIn(origin: Origin) -> Iterator[None]:
    """
    Say of the errors that come out where the options were given, unless that is known already.
    """
    try:
        yield
    except Prefix64Error as error:
        error.origin = error.origin or origin
        raise


class AddressError(Prefix64Error):
    """
    A text that should be an IPv6 address or prefix is none, or is one that cannot be served.
    """


class OptionError(Prefix64Error):
    """
    An option has a value that cannot be, or contradicts another one.
    """


class ConfigError(Prefix64Error):
    """
    The file of C{--config} cannot be read, or has a key or a value that cannot be.
    """


class SitesError(Prefix64Error):
    """
    The tree of sites has a name that is no address, two names for one address, or cannot be read.
    """


class InterfaceError(Prefix64Error):
    """
    The network interface is missing, or is of a kind that cannot do what was asked.
    """


class PrivilegeError(Prefix64Error):
    """
    The process lacks a capability; the text names it and says how to get it.
    """


class RoutingError(Prefix64Error):
    """
    The kernel refused a rule or a route, or somebody else's stands where ours would go.
    """


class GuardError(Prefix64Error):
    """
    nf_tables is not there, or refused the table that keeps the kernel from answering echo too.
    """


class ListenError(Prefix64Error):
    """
    A port cannot be listened on, or a file that the server writes cannot be opened.
    """


class InterruptedStart(Prefix64Error):
    """
    A signal came while the server was starting.
    """


class LabError(Prefix64Error):
    """
    The laboratory of network namespaces cannot be built: a program or a privilege is missing.
    """


class ProbeError(Prefix64Error):
    """
    An address cannot be probed from here.
    """


class StateError(Prefix64Error):
    """
    The state directory cannot be made, or cannot be written to.
    """


class NdppdError(Prefix64Error):
    """
    An ndppd.conf cannot be read, or has nothing that could be served.
    """

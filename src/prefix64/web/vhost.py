"""
The resource that picks a site by the local address of the connection.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from prefix64.hosts.model import Site
from prefix64.web.connection import localMatch
from prefix64.web.pages import Page


class AddressVirtualHost(Resource):
    """
    The site for C{request.getHost()}, never for the Host header.

    An address that is not served here (excluded, a router's, or outside the prefixes) is answered
    421 Misdirected Request (RFC 9110 15.5.20).
    """

    isLeaf = True

    def __init__(self, resourceFor: Callable[[Site], IResource]) -> None:
        """
        @param resourceFor: the resource of a site. It must be a leaf: it is given the whole path in
            C{request.postpath}.
        """
        super().__init__()
        self._resourceFor = resourceFor
        self._misdirected = Page(
            421,
            "Misdirected Request",
            "The address that you connected to is not served here.",
        )

    def render(self, request: Request) -> bytes | int:
        """
        Hand the request to the site of its local address.
        """
        site = localMatch(request).site
        resource = self._misdirected if site is None else self._resourceFor(site)
        result: bytes | int = resource.render(request)
        return result

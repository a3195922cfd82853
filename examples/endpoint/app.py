r"""
A web server on every address of a prefix, which shows the address that its visitor connected to::

    sudo python examples/endpoint/app.py
    sudo python examples/endpoint/app.py 'prefix64:80:prefix=2001\:db8\:\:/64:iface=eth0'

The first serves 2001:db8::/64 on this machine alone, on port 8080:
C{curl -g 'http://[2001:db8::cafe]:8080/'}. twistd can run it too, in this directory::

    sudo PYTHONPATH=. twistd -n web --class=app.LocalAddress \
        --listen='prefix64:80:prefix=2001\:db8\:\:/64:iface=eth0'
"""

from __future__ import annotations

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from prefix64.errors import Prefix64Error

DESCRIPTION = "prefix64:8080"
"""2001:db8::/64 on the loopback interface."""


class LocalAddress(Resource):
    """
    A page that says which address it is the page of.
    """

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """
        Tell the address that the visitor connected to. Nothing that the visitor wrote is in it.
        """
        request.setHeader("content-type", "text/plain; charset=utf-8")
        return f"This is {request.getHost().host}\n".encode()


async def main(reactor: IReactorCore, description: str = DESCRIPTION) -> None:
    """
    Serve until the process is ended. What is in the kernel is undone when the reactor stops.

    @param description: of the endpoint.
    """
    try:
        endpoint = serverFromString(reactor, description)
        port = await endpoint.listen(Site(LocalAddress()))
    except (ValueError, CannotListenError, Prefix64Error) as error:
        raise SystemExit(f"{description}: {error}") from None
    print(f"listening on port {port.getHost().port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])

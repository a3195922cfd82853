r"""
A Klein application on every address of a prefix. In this directory::

    pip install klein
    sudo PYTHONPATH=. twistd -n web --class=klein_app.resource \
        --listen='prefix64:80:prefix=2001\:db8\:\:/64:iface=eth0'
"""

from __future__ import annotations

from klein import Klein
from twisted.web.iweb import IRequest

app = Klein()


@app.route("/")
def page(request: IRequest) -> str:
    """
    Tell the address that the visitor connected to.
    """
    request.setHeader("content-type", "text/plain; charset=utf-8")
    return f"This is {request.getHost().host}\n"


@app.route("/name/<name>")
def named(request: IRequest, name: str) -> str:
    """
    Tell it with a part of the path.

    @param name: what the visitor wrote; plain text is not interpreted.
    """
    request.setHeader("content-type", "text/plain; charset=utf-8")
    return f"{name} at {request.getHost().host}\n"


resource = app.resource

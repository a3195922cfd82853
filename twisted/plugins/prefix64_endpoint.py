"""
What Twisted reads to know C{prefix64:...} as a server endpoint: a name, and nothing of the
application itself.
"""

from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamServerEndpointStringParser)
class _Parser:
    """
    Knows the name, and who can read the rest.

    @ivar prefix: the name.
    """

    prefix = "prefix64"

    def parseStreamServer(self, reactor, *args, **kwargs):
        """
        Read a description.
        """
        from prefix64.endpoint.parser import parseEndpoint

        return parseEndpoint(reactor, args, kwargs)


prefix64Endpoint = _Parser()

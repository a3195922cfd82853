"""
The service of C{twistd prefix64}.
"""

from __future__ import annotations

from twisted.application.service import IService

from prefix64.options.command_line import Options

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:
    """
    Make the service, for twistd.
    """
    from twisted.internet import reactor

    from prefix64.services.prefix64 import Prefix64Service

    service: IService = Prefix64Service(options.settings, reactor)
    return service

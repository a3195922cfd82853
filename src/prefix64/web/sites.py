"""
From a kind of site to the resource that serves it.
"""

from __future__ import annotations

from functools import lru_cache

from twisted.web.resource import IResource

from prefix64.hosts.model import Site, StaticSite
from prefix64.hosts.table import CurrentTable
from prefix64.web.static import StaticFiles
from prefix64.web.welcome import WelcomePage

MOST_RESOURCES = 4096


class SiteResources:
    """
    Makes the resource of a site when it is first asked for, and keeps the last L{MOST_RESOURCES}.
    """

    def __init__(self, tables: CurrentTable) -> None:
        self._welcome = WelcomePage(tables)
        self._static = lru_cache(maxsize=MOST_RESOURCES)(StaticFiles)

    def __call__(self, site: Site) -> IResource:
        """
        @return: a leaf resource.
        """
        resource: IResource = (
            self._static(site.root) if isinstance(site, StaticSite) else self._welcome
        )
        return resource

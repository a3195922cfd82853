"""
The options of the whole process, from texts to its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefix64.link_options import FLAGS, LISTS, WORDS, linkSettings
from prefix64.option_values import (
    absolutePath,
    accessLogPlace,
    defaultStateDirectory,
    httpPlaces,
    sitesIn,
)
from prefix64.routing_values import checkPorts, checkProxied
from prefix64.settings import Launch, Settings


def readSettings(given: Mapping[str, Any], reactor: Any, launch: Launch) -> Settings:
    """
    Read all options. Nothing but files is looked at.

    @param given: texts by the names of options, and lists of texts.
    @raise Prefix64Error: one is wrong, or contradicts another.
    """
    link = linkSettings({name: given[name] for name in (*WORDS, *LISTS, *FLAGS)})
    http = httpPlaces(given["http"] or ["80"], reactor)
    sites = sitesIn(given["sites"], link.prefixes, link.excluded)
    checkPorts(link, http)
    checkProxied(link, sites.hosts)
    return Settings(
        links=(link,),
        http=http,
        sites=sites,
        stateDirectory=_stateDirectory(given["state"]),
        accessLog=accessLogPlace(given["access-log"]),
        launch=launch,
    )


def _stateDirectory(text: str | None) -> str:
    """
    The state directory, as an absolute path.
    """
    return defaultStateDirectory() if text is None else absolutePath("state", text)

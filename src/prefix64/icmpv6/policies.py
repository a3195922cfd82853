"""
What the user may choose about Neighbor Discovery. The values are the words of the options.
"""

from __future__ import annotations

import enum


class DadPolicy(enum.Enum):
    """
    What a duplicate address probe (RFC 4862 5.4) for one of our addresses gets.
    """

    AUTO = "auto"
    DEFEND = "defend"
    IGNORE = "ignore"


class RespondPolicy(enum.Enum):
    """
    Which addresses are answered for: all that are ours, or those that a host rule covers.
    """

    ALL = "all"
    HOSTS = "hosts"


class AdvertisementSource(enum.Enum):
    """
    The source address of advertisements.
    """

    TARGET = "target"
    LINK_LOCAL = "link-local"


class RouterFlag(enum.Enum):
    """
    The R flag of advertisements: never set, or set while the interface forwards.
    """

    NEVER = "0"
    AUTO = "auto"

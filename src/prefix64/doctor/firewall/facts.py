"""
What is known of the host's packet filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefix64.doctor.firewall.ruleset import Ruleset


@dataclass(frozen=True)
class FirewallFacts:
    """
    The host's packet filters.

    @ivar ruleset: what there is; L{None} if it could not be read.
    @ivar why: why not.
    @ivar install: what to do about that.
    @ivar texts: what nft(8) calls the rules: by family, table and handle.
    """

    ruleset: Ruleset | None
    why: str = ""
    install: str = ""
    texts: Mapping[tuple[str, str, int | str], str] = field(default_factory=dict)

"""
What several test modules share.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn
from unittest import SkipTest

APT_PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "ip": "iproute2",
    "ndisc6": "ndisc6",
    "ndppd": "ndppd",
    "nft": "nftables",
    "npd6": "npd6",
    "ping": "iputils-ping",
    "tcpdump": "tcpdump",
}
"""The Debian package of each program that a test runs."""


def skipBecause(why: str) -> NoReturn:
    """
    Skip a test; in CI (PREFIX64_NO_SKIP=1) a skip is a failure. (It is not called C{skip}: trial
    would skip every module that imports it.)
    """
    if os.environ.get("PREFIX64_NO_SKIP") == "1":
        raise AssertionError(f"skipped, which CI does not allow: {why}")
    raise SkipTest(why)


def requirePrograms(*programs: str) -> None:
    """
    Skip the test if a program is missing, and name the command that brings it.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(sorted({APT_PACKAGES[program] for program in missing}))
        skipBecause(f"missing: {', '.join(missing)}: sudo apt-get install {packages}")


def requireRoot() -> None:
    """
    Skip the test if it is not run by root.
    """
    if os.geteuid() != 0:
        skipBecause("needs root, for network namespaces: sudo make test")

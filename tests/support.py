"""
What several test modules share.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn
from unittest import SkipTest

APT_PACKAGES = {
    "apache2": "apache2",
    "chromium": "chromium",
    "curl": "curl",
    "ip": "iproute2",
    "ndisc6": "ndisc6",
    "ndppd": "ndppd",
    "nginx": "nginx",
    "nft": "nftables",
    "npd6": "npd6",
    "openssl": "openssl",
    "php-fpm": "php-fpm",
    "ping": "iputils-ping",
    "sysctl": "procps",
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


def findProgram(program: str) -> str | None:
    """
    Where a program is. Debian has the version of PHP in the name of its php-fpm: any version is
    taken, the one whose name is longest and last.

    @return: its path; L{None} if it is missing.
    """
    if program != "php-fpm":
        return shutil.which(program)
    found = [str(path) for path in Path("/usr/sbin").glob("php-fpm*") if os.access(path, os.X_OK)]
    return max(found, key=lambda path: (len(path), path), default=None)


def requirePrograms(*programs: str) -> None:
    """
    Skip the test if a program is missing, and name the command that brings it.
    """
    missing = [program for program in programs if findProgram(program) is None]
    if missing:
        packages = " ".join(sorted({APT_PACKAGES[program] for program in missing}))
        skipBecause(f"missing: {', '.join(missing)}: sudo apt-get install {packages}")


def requireRoot() -> None:
    """
    Skip the test if it is not run by root.
    """
    if os.geteuid() != 0:
        skipBecause("needs root, for network namespaces: sudo make test")

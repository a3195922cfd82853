"""
The rulesets of the host's packet filters, as the programs print them that own their formats.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prefix64.doctor.firewall import ip6tables
from prefix64.doctor.firewall.facts import FirewallFacts
from prefix64.doctor.firewall.ruleset import Ruleset

LONGEST_RULESET = 64 << 20
"""Bytes of the ruleset's text that are read."""

_TIMEOUT = 20.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"LC_ALL": "C", "PATH": _PATH}
_OLD_TABLES = Path("/proc/thread-self/net/ip6_tables_names")
_NEW, _OLD = "ip6tables-nft", "ip6tables-legacy"
_TABLE = re.compile(r"^table (\S+) (\S+) \{")
_CHAIN = re.compile(r"^\s+chain (\S+) \{")
_INGRESS = re.compile(r"^\s+type filter hook ingress devices? (.*?) priority ")
_DORMANT = re.compile(r"^\tflags (\S+,)*dormant(,|$)")
_RULE = re.compile(r"^\s+(.*\S) # handle (\d+)$")


def readFirewall() -> FirewallFacts:
    """
    Read the rules of nf_tables, and those of ip6tables of the old kind. The guards that prefix64
    itself has do not count.
    """
    objects: list[Any] = []
    texts: dict[tuple[str, str, int | str], str] = {}
    try:
        if _which("nft") is None:
            return FirewallFacts(None, "nft is not installed", "apt-get install nftables")
        text = _run("nft", "-a", "list", "ruleset")
        texts.update(ruleTexts(text))
        idle = {*filter(_isGuard, tablesIn(text)), *dormantTables(text)}
        objects += _objects(one for one in tablesIn(text) if one not in idle)
        if _which(_NEW) is not None:
            opaque = ip6tables.opaqueTables(objects)
            objects = [entry for entry in objects if not ip6tables.isOf(entry, opaque)]
            objects += _ip6tables(_NEW, opaque)
        objects += _ip6tables(_OLD, _oldTables())
        ruleset = Ruleset(objects, idle, dict(ingressDevices(text)))
    except subprocess.SubprocessError as error:
        return FirewallFacts(None, str(error))
    except PermissionError as error:
        return FirewallFacts(None, str(error), "sudo prefix64 doctor ...")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return FirewallFacts(None, f"{type(error).__name__}: {error}"[:200])
    return FirewallFacts(ruleset, texts=texts)


def _objects(tables: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """
    What C{nft -j} prints of some tables, each by itself: nft 1.0.6 prints JSON that is cut off, or
    has any text, for all of the ruleset where one table has a flag.
    """
    for family, name in tables:
        yield from json.loads(_run("nft", "-j", "list", "table", family, name))["nftables"]


def _ip6tables(program: str, tables: Iterable[str]) -> Iterator[dict[str, Any]]:
    """
    The rules of some tables of ip6tables.
    """
    for table in tables:
        yield from ip6tables.ruleset(program, table, _run(program, "-t", table, "-S"))


def _oldTables() -> Iterator[str]:
    """
    The tables of ip6tables of the old kind that are in use.

    @raise OSError: there are some, but no program that shows them.
    """
    if not _OLD_TABLES.exists():
        return
    names = _OLD_TABLES.read_text().split()
    if names and _which(_OLD) is None:
        raise OSError(f"ip6tables has the tables {' '.join(names)}, but there is no "
                      "ip6tables-legacy that shows them")  # fmt: skip
    yield from (name for name in ip6tables.TABLES if name in names)


def ruleTexts(ruleset: str) -> Iterator[tuple[tuple[str, str, int | str], str]]:
    """
    What C{nft -a list ruleset} calls each rule, by family, table and handle.
    """
    family = table = ""
    for line in ruleset.splitlines():
        if found := _TABLE.match(line):
            family, table = found[1], found[2]
        elif (found := _RULE.match(line)) and not found[1].endswith("{"):
            yield (family, table, int(found[2])), found[1]


def tablesIn(ruleset: str) -> list[tuple[str, str]]:
    """
    The tables in what C{nft -a list ruleset} prints, by family and name.
    """
    found = map(_TABLE.match, ruleset.splitlines())
    return [(one[1], one[2]) for one in found if one]


def dormantTables(ruleset: str) -> Iterator[tuple[str, str]]:
    """
    The tables that are switched off, in what C{nft -a list ruleset} prints, by family and name:
    some versions of nft leave that out of the other list.
    """
    family = table = ""
    for line in ruleset.splitlines():
        if found := _TABLE.match(line):
            family, table = found[1], found[2]
        elif _DORMANT.match(line):
            yield family, table


def ingressDevices(ruleset: str) -> Iterator[tuple[tuple[str, str, str], tuple[str, ...]]]:
    """
    The interfaces of the chains at the ingress hook, in what C{nft -a list ruleset} prints, by
    family, table and chain.
    """
    family = table = chain = ""
    for line in ruleset.splitlines():
        if found := _TABLE.match(line):
            family, table = found[1], found[2]
        elif found := _CHAIN.match(line):
            chain = found[1]
        elif found := _INGRESS.match(line):
            yield (family, table, chain), tuple(re.findall(r'"([^"]+)"', found[1]))


def _isGuard(table: tuple[str, str]) -> bool:
    """
    Tell whether a table is one that prefix64 has for an interface: it drops pings only.
    """
    return table[0] == "ip6" and table[1].startswith("prefix64-")


def _which(program: str) -> str | None:
    """
    Where a program of the administrator's is, also for a user whose path has it not.
    """
    return shutil.which(program, path=_PATH)


def _run(*command: str) -> str:
    """
    Run a program that only reads.

    @raise PermissionError: it says that it may not.
    @raise OSError: it failed.
    """
    program = _which(command[0])
    if program is None:
        raise OSError(f"{command[0]} is not installed")
    done = subprocess.run(
        (program, *command[1:]), capture_output=True, text=True, errors="replace", timeout=_TIMEOUT,
        stdin=subprocess.DEVNULL, env=_ENVIRONMENT, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        denied = "not permitted" in done.stderr or "ermission denied" in done.stderr
        raise (PermissionError if denied else OSError)(f"{command[0]}: {lines[0][:200]}")
    if len(done.stdout) > LONGEST_RULESET:
        raise OSError(f"{command[0]}: the ruleset is too long")
    return done.stdout

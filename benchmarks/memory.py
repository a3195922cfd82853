"""
Memory under millions of machines that do not exist, each of which asks for another address::

    make soak                            # or: python -m benchmarks.memory --millions 10

Every other one has an address of the prefix itself, so that every table that the network can fill
is filled. The exit status is 1 if prefix64 grows.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.ndp import RESPONDER_CORE, ROUTER_CORE, link, waitUntilAnswering
from benchmarks.responders import KINDS, Kind, Responder, runPinned
from tests.kernel.namespaces import PREFIX

MILLION = 1_000_000
WARM_UP = 100_000
"""How many fill the tables for the first time."""

MOST_GROWTH = 4 << 20
"""Bytes."""


def grown(kind: Kind, millions: int) -> int:
    """
    Have a responder asked, and print its memory after each million.

    @return: by how many bytes it grew.
    """
    with link() as (router, server):
        responder = Responder(kind, server, RESPONDER_CORE)
        try:
            waitUntilAnswering(router, responder)
            sizes = []
            for number in range(millions + 1):
                count = MILLION if number else WARM_UP
                arguments = ["--prefix", PREFIX, "--spoof", str(count)]
                arguments += ["--first", str(number * MILLION)]
                with runPinned(router, ROUTER_CORE, "benchmarks.solicitor", arguments) as asking:
                    assert asking.stdout is not None
                    asking.stdout.readline()
                    asking.communicate("\n")
                sizes.append(responder.memory())
                print(f"| {kind.name} | {number} | {sizes[-1] / (1 << 20):.1f} MiB |", flush=True)
            return sizes[-1] - sizes[0]
        finally:
            responder.stop()


def main() -> None:
    """
    Measure, and print the table.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--millions", type=int, default=10)
    parser.add_argument("--only", default="prefix64", help="names, with commas between them")
    given = parser.parse_args()
    print("| responder | million machines and addresses | memory |\n| --- | --- | --- |")
    kinds = [kind for kind in KINDS if kind.name in given.only.split(",")]
    growth = {kind.name: grown(kind, given.millions) for kind in kinds}
    if growth.get("prefix64", 0) > MOST_GROWTH:
        sys.exit(f"prefix64 grew by {growth['prefix64'] / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    main()

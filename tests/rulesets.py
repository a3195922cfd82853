"""
Rulesets of nf_tables, and what becomes of a connection to port 80 of 2001:db8::/64 that comes in on
eth0. C{rulesets.json} has what C{nft -j list ruleset} and C{nft -a list ruleset} (1.0.6) say of
each; made by C{python -m tests.rulesets}, as root, in a network namespace with an eth0.
"""

from __future__ import annotations

import json
import subprocess
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

CAPTURED = Path(__file__).with_name("rulesets.json")


class Fate(Enum):
    """
    What the doctor can say of the connection.
    """

    IN = "in"
    DROPPED = "dropped"
    UNSURE = "unsure"


class Case(NamedTuple):
    """
    A ruleset.

    @ivar really: whether the connection from 2001:db8:ffff::1 to 2001:db8::cafe comes in; L{None}
        where that is not the same on every kernel.
    """

    name: str
    text: str
    fate: Fate
    really: bool | None


def inputChain(*rules: str, policy: str = "drop", more: str = "") -> str:
    """
    A table with one chain at the input hook.
    """
    chain = f"type filter hook input priority 0; policy {policy};"
    return f"table inet t {{ {more}\nchain input {{ {chain}\n" + "\n".join(rules) + "\n}\n}"


def _in(name: str, text: str) -> Case:
    return Case(name, text, Fate.IN, True)


def _dropped(name: str, text: str) -> Case:
    return Case(name, text, Fate.DROPPED, False)


def _unsure(name: str, text: str, really: bool | None) -> Case:
    return Case(name, text, Fate.UNSURE, really)


_FLAGS = "tcp flags & (fin|syn|rst|ack)"
_BAD = "set bad { type ipv6_addr; flags interval; elements = { 2001:db8:bad::/48 }\n}"
_EMPTY = "set none { type ipv6_addr; flags interval; }"
_PORTS = "set ports { type inet_service; flags interval; elements = { 22, 79-81 }\n}"
_MAP = "map m { type inet_service : verdict; elements = { 22 : drop, 80 : accept }\n}"
_DYNAMIC = "set seen { type ipv6_addr; flags dynamic; }"

CASES = (
    _in("empty", "flush ruleset"),
    _in("policy accept", inputChain(policy="accept")),
    _dropped("policy drop", inputChain()),
    _in("port", inputChain("tcp dport 80 accept")),
    _dropped("another port", inputChain("tcp dport 443 accept")),
    _in("ports", inputChain("tcp dport { 22, 80, 443 } accept")),
    _in("range", inputChain("tcp dport 79-90 accept")),
    _in("named set", inputChain("tcp dport @ports accept", more=_PORTS)),
    _in("l4proto and th", inputChain("meta l4proto { tcp, udp } th dport 80 accept")),
    _dropped("udp", inputChain("udp dport 80 accept")),
    _dropped("ipv4", inputChain("meta nfproto ipv4 accept", "ip saddr 192.0.2.1 accept")),
    _in("ipv6", inputChain("meta nfproto ipv6 accept")),
    _in("next header", inputChain("ip6 nexthdr tcp accept")),
    _in("interface", inputChain('iifname "eth0" accept')),
    _in("interfaces", inputChain('iifname { "eth0", "eth1" } accept')),
    _in("wildcard", inputChain('iifname "eth*" accept')),
    _dropped("loopback only", inputChain("iif lo accept")),
    _dropped("not the interface", inputChain('iifname != "eth0" accept')),
    _in("new", inputChain("ct state new accept")),
    _dropped("established only", inputChain("ct state established,related accept")),
    _in("invalid", inputChain("ct state invalid drop", policy="accept")),
    _in("not new", inputChain("ct state != new drop", policy="accept")),
    _in(
        "state map",
        inputChain(
            "ct state vmap { established : accept, related : accept, invalid : drop }",
            "tcp dport 80 accept",
        ),
    ),
    _dropped("state map with new", inputChain("ct state vmap { new : drop }", policy="accept")),
    _in("port map", inputChain("tcp dport vmap { 22 : drop, 80 : accept }")),
    _in("named map", inputChain("tcp dport vmap @m", more=_MAP)),
    _in("destination", inputChain("ip6 daddr 2001:db8::/64 tcp dport 80 accept")),
    _in("shorter destination", inputChain("ip6 daddr 2001:db8::/32 accept")),
    _dropped("other destination", inputChain("ip6 daddr 2001:db8:1::/64 accept")),
    _unsure("part of the destination", inputChain("ip6 daddr 2001:db8::/65 accept"), True),
    _unsure("one address", inputChain("ip6 daddr 2001:db8::cafe accept"), True),
    _unsure("addresses", inputChain("ip6 daddr 2001:db8::1-2001:db8::9 accept"), False),
    _unsure("a visitor", inputChain("ip6 saddr 2001:db8:ffff::/48 accept"), True),
    _unsure("bad visitors", inputChain("ip6 saddr @bad drop", policy="accept", more=_BAD), True),
    _in("nobody bad", inputChain("ip6 saddr @none drop", policy="accept", more=_EMPTY)),
    _unsure("limit", inputChain("limit rate 10/second accept"), True),
    _unsure(
        "meter",
        inputChain(
            "add @seen { ip6 saddr limit rate over 9/second } drop", policy="accept", more=_DYNAMIC
        ),
        True,
    ),
    _unsure("mark", inputChain("meta mark 1 accept"), False),
    _unsure("hop limit", inputChain("ip6 hoplimit < 3 drop", policy="accept"), True),
    _in("not a SYN", inputChain(f"{_FLAGS} != syn ct state new drop", policy="accept")),
    _in("SYN", inputChain(f"{_FLAGS} == syn accept")),
    _dropped("drop SYN", inputChain("tcp flags syn drop", policy="accept")),
    _in("drop RST", inputChain("tcp flags rst drop", policy="accept")),
    _in("concatenation", inputChain('iifname . tcp dport { "eth0" . 80, "eth1" . 443 } accept')),
    _dropped("other concatenation", inputChain('iifname . tcp dport { "eth1" . 80 } accept')),
    _dropped("rule", inputChain("counter tcp dport 80 log drop", policy="accept")),
    _dropped("reject", inputChain("tcp dport 80 reject with tcp reset", policy="accept")),
    _in("accepted before", inputChain("tcp dport 80 accept", "tcp dport 80 drop")),
    _in("comment", inputChain('tcp dport 80 accept comment "nothing"')),
    _in("no such extension", inputChain("exthdr frag exists drop", policy="accept")),
    _in("not equal", inputChain("tcp dport != 80 drop", policy="accept")),
    _in("not below", inputChain("tcp dport < 80 drop", policy="accept")),
    _dropped("not above", inputChain("tcp dport >= 80 drop", policy="accept")),
    _in("icmp only", inputChain("meta l4proto ipv6-icmp drop", policy="accept")),
    _in("ether type", inputChain("ether type ip6 accept")),
    _in(
        "jump and return",
        "table inet t { chain deep { tcp dport 80 return\n drop\n }\nchain input { "
        "type filter hook input priority 0; policy accept;\n jump deep\n }\n}",
    ),
    _dropped(
        "goto ends with the policy",
        "table inet t { chain deep { tcp dport 81 accept\n }\nchain input { "
        "type filter hook input priority 0; policy drop;\n goto deep\n accept\n }\n}",
    ),
    _dropped(
        "jump to a drop",
        "table inet t { chain deep { drop\n }\nchain input { "
        "type filter hook input priority 0; policy accept;\n tcp dport 80 jump deep\n }\n}",
    ),
    _dropped(
        "a second chain drops",
        "table inet a { chain i { type filter hook input priority 0; policy accept;\n accept\n }\n}"
        "\ntable ip6 b { chain i { type filter hook input priority 9; policy drop;\n }\n}",
    ),
    _dropped(
        "prerouting",
        "table ip6 t { chain p { type filter hook prerouting priority -300; policy accept;\n"
        " tcp dport 80 drop\n }\n}",
    ),
    _in(
        "forward and output do not count",
        "table ip6 t { chain f { type filter hook forward priority 0; policy drop;\n }\n"
        "chain o { type filter hook output priority 0; policy accept;\n tcp dport 80 drop\n }\n}",
    ),
    _in(
        "the family of IPv4",
        "table ip t { chain i { type filter hook input priority 0; policy drop;\n }\n}",
    ),
    _dropped(
        "ingress",
        "table netdev t { chain i { type filter hook ingress device eth0 priority 0; "
        "policy accept;\n tcp dport 80 drop\n }\n}",
    ),
    _in(
        "ingress of another interface",
        "table netdev t { chain i { type filter hook ingress device lo priority 0; "
        "policy drop;\n }\n}",
    ),
    _in(
        "dormant",
        "table inet t { flags dormant;\nchain i { type filter hook input priority 0; "
        "policy drop;\n }\n}",
    ),
    _unsure(
        "redirected",
        "table inet t { chain n { type nat hook prerouting priority -100;\n"
        " tcp dport 80 redirect to :8080\n }\n}",
        None,
    ),
)


def captured() -> dict[str, Any]:
    """
    What nft says of each case, by its name.
    """
    loaded: dict[str, Any] = json.loads(CAPTURED.read_text())
    return loaded


def capture() -> dict[str, Any]:
    """
    Load each ruleset, and list it.
    """
    found = {}
    for case in CASES:
        script = f"flush ruleset\n{case.text}\n"
        subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
        listed = subprocess.run(
            ["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True
        )
        text = subprocess.run(
            ["nft", "-a", "list", "ruleset"], capture_output=True, text=True, check=True
        )
        found[case.name] = {"json": json.loads(listed.stdout)["nftables"], "text": text.stdout}
    return found


if __name__ == "__main__":
    lines = (f" {json.dumps(name)}: {json.dumps(said)}" for name, said in capture().items())
    print("{\n" + ",\n".join(lines) + "\n}")

"""
Files for ndppd, in the shapes that people write them in.
"""

from __future__ import annotations

import random

OWN_PREFIX = """\
route-ttl 30000

proxy eth0 {
    router no
    timeout 500
    ttl 30000

    rule 2001:db8::/64 {
        static
    }
}
"""
"""As the guides for proxies with many addresses have it, next to a local route."""

CONTAINERS = """\
route-ttl 30000
address-ttl 30000

proxy eth0 {
   router yes
   timeout 500
   autowire no
   keepalive yes
   retries 3
   promiscuous no
   ttl 30000
   rule 2001:db8:0:0:c::/80 {
      auto
      autovia no
   }
}
"""
"""As the later ndppd.conf-dist has it, for Docker or a tunnel."""

BRIDGE = """\
# the LAN has the provider's /64 too
proxy eth0 {
    rule 2001:db8::/64 { iface eth1 }
    rule 2001:db8::/64 { iface docker0 }
}
proxy eth1 {
    rule 2001:db8::/64 { iface eth0 }
    rule fe80::/10 { iface docker0 }
    rule ::/0 { auto }
}
"""
"""A prefix on several links, proxied both ways."""

MACHINES = """\
proxy eth0 {
    rule 2001:db8::11 { iface docker0 }
    rule 2001:db8::12 {
        iface docker0
    }
    rule 2001:db8::13/128 { iface = eth1 }
}
"""
"""A rule for each virtual machine."""

TWO_UPLINKS = """\
proxy eth0 {
    router = no
    rule 2001:db8:1::/64 { static }
    rule 2001:db8:1:0:d::/80 { iface docker0 }
}

proxy eth1 { /* the second provider */
    rule 2001:db8:2::1/112 { static } // containers
}
"""

SHAPES = {
    "own prefix": OWN_PREFIX,
    "containers": CONTAINERS,
    "bridge": BRIDGE,
    "machines": MACHINES,
    "two uplinks": TWO_UPLINKS,
    "one line": "proxy eth0{rule 2001:db8::/64{static}}",
    "lines of Windows": OWN_PREFIX.replace("\n", "\r\n"),
    "indented with tabs": OWN_PREFIX.replace("    ", "\t"),
    "equals signs": "proxy = eth0 { router=no rule = 2001:db8::/64 { iface=eth1 } }\n",
    "no end of line": "proxy eth0 { rule 2001:db8::/64 { auto } }",
    "semicolons": "proxy eth0 { ttl 30000;\n rule 2001:db8::/64 { static;\n }; };\n",
    "a comment in the way": "proxy /* x */ eth0 { rule 2001:db8::/64 /* all\nof it */ {auto} }",
    "a short comment": "/*/ proxy eth0 { rule 2001:db8::/64 { auto } }",
    "other languages": "# f\u00fcr \u4e2d\u6587\nproxy eth0 { rule ::1:0/112 { auto } }",
    "a quoted value": 'proxy eth0 {\n rule 2001:db8::/64 {\n  iface "eth1" \n }\n}\n',
    "a brace too many": "proxy eth0 { rule 2001:db8::/64 { auto } } }\n # done\n",
    "NAT64": "proxy eth0 { rule 64:ff9b:1::/48 { static } }",
    "everything": "proxy eth0 { rule ::/0 { static } }",
    "half of everything": "proxy eth0 { rule 2000::/3 { iface eth1 } }",
    "methods with values": "proxy eth0 { rule 2001:db8::/64 { static no auto2 x } }",
    "the same interface twice": OWN_PREFIX + "proxy eth0 { rule 2001:db8:1::/64 { auto } }\n",
    "settings twice": "proxy eth0 { router no router yes rule ::1:0/112 { iface eth1\niface lo } }",
    "words in wrong places": "static\nproxy eth0 { auto\nrule ::1:0/112 { auto ttl } }\nrule x {}",
    "a method in the way": "proxy eth0 { static rule ::1:0/112 { x } rule ::2:0/112 { auto } }",
    "capital letters": "proxy eth0 { ROUTER no rule 2001:DB8::/64 { auto } }\nProxy eth1 {}",
    "router on": "proxy eth0 { router on rule 2001:db8::/64 { auto } }",
    "no rule": "proxy eth0 {}\n",
    "no block": "proxy eth0\n",
    "nothing": "",
    "comments only": "# proxy eth0 {\n# }\n",
}
"""What ndppd takes, and reads as it is read here."""

REFUSED = {
    "no closing brace": "proxy eth0 { rule 2001:db8::/64 { static }\n",
    "a rule without a method": "proxy eth0 { rule 2001:db8::/64 { } }",
    "two methods": "proxy eth0 { rule 2001:db8::/64 { static\n auto } }",
    "three methods": "proxy eth0 { rule 2001:db8::/64 { static auto1 iface eth1 auto } }",
    "no interface": "proxy { rule 2001:db8::/64 { static } }",
    "no address": "proxy eth0 { rule { static } }",
    "no interface to ask on": "proxy eth0 { rule 2001:db8::/64 { iface } }",
    "the interface on the next line": "proxy eth0 { rule 2001:db8::/64 { iface\neth1 } }",
    "a rule's brace on the next line": "proxy eth0 { rule 2001:db8::/64\n{ static } }",
    "a rule in quotes": 'proxy eth0 { rule "2001:db8::/64" {\n static } }',
    "an open comment in a proxy": "proxy eth0 { /* rule 2001:db8::/64 { static } }",
}
"""What ndppd refuses."""

READ_OTHERWISE = {
    "no address at all": "proxy eth0 { rule everything { static } }",
    "a star": "proxy eth0 { rule * { static } }",
    "a dotted address": "proxy eth0 { rule ::ffff:192.0.2.1 { static } }",
    "a slash without a length": "proxy eth0 { rule 2001:db8::/ { static } }",
    "a length that is too long": "proxy eth0 { rule 2001:db8::/129 { static } }",
    "a length that is a word": "proxy eth0 { rule 2001:db8::/6x { static } }",
    "a second slash": "proxy eth0 { rule 2001:db8::/64/64 { static } }",
    "a proxy's brace on the next line": "proxy eth0\n{ rule 2001:db8::/64 { static } }",
    "a proxy in quotes": 'proxy "eth0" {\n rule 2001:db8::/64 { static }\n}',
    "a brace too early": "proxy eth0 { rule ::1:0/112 { auto } } } proxy eth1 { rule ::2 {auto} }",
    "an open comment at the end": "proxy eth0 { rule 2001:db8::/64 { auto } } /* the end",
    "a semicolon behind an interface": "proxy eth0 { rule 2001:db8::/64 { iface eth1; } }",
    "a NUL": "proxy eth0 { rule 2001:db8::/64 { auto } }\n\0proxy eth1 { rule ::2 { auto } }",
}
"""What ndppd takes, but not for what its author meant: mistakes here."""

INTERFACES = ("eth0", "eth1", "docker0")
"""The interfaces that the files name."""

_ADDRESSES = ("2001:db8::", "2001:db8::1", "2001:DB8:0:1::", "fd00::", "::", "fe80::1", "ff02::1")
_BETWEEN = (" ", "  ", "\t", "\n", "\r\n", " # }\n", "// {\n", "/* } */", "\n\n", ";\n", " = ")
_SETTINGS = ("ttl 500", "router no", "router  YES", "timeout=1", "autowire no", "x", "auto-x y")


def randomFile(source: random.Random) -> str:
    """
    Make a file that is mostly right.
    """

    def between() -> str:
        return source.choice(_BETWEEN) if source.random() < 0.3 else source.choice(("\n", " "))

    def rule() -> str:
        length = "" if source.random() < 0.2 else f"/{source.randrange(129)}"
        method = source.choice(("static", "auto", f"iface {source.choice(INTERFACES)}"))
        inner = between().join(source.sample([method, *source.sample(_SETTINGS, 1)], 2))
        return f"rule {source.choice(_ADDRESSES)}{length} {{{between()}{inner}{between()}}}"

    def proxy() -> str:
        parts = [rule() for _ in range(source.randrange(4))]
        parts += source.sample(_SETTINGS, source.randrange(3))
        source.shuffle(parts)
        inner = between().join(parts)
        return f"proxy {source.choice(INTERFACES)} {{{between()}{inner}{between()}}}"

    text = between().join(["route-ttl 500", *(proxy() for _ in range(source.randrange(1, 4)))])
    if source.random() < 0.3:
        at = source.randrange(len(text))
        text = text[:at] + source.choice(("{", "}", '"', "/*", "#", " ", "\n", "")) + text[at + 1 :]
    return text

"""
What C{twistd} reads to list C{prefix64}: a name, and nothing of the application itself.
"""

from twisted.application.service import ServiceMaker

prefix64 = ServiceMaker(
    "prefix64",
    "prefix64.tap",
    "Own every IPv6 address of a prefix: neighbor discovery, ping, and a site for each address.",
    "prefix64",
)

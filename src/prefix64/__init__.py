"""
prefix64: every IPv6 address of a /64 is found on the link, answers ping, and serves its own site.
"""

__version__ = "0.1.0"

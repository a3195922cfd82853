"""
C{prefix64 import-ndppd}: the options that do what an ndppd.conf did.
"""

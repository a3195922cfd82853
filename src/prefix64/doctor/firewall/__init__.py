"""
The host's packet filter: its rules read, and one packet led through them.
"""

"""
What to answer to an ICMPv6 frame. No socket, clock or reactor: bytes and time in, bytes out.
"""

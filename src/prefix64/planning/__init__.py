"""
C{prefix64 plan}: what would be in the kernel, as commands.
"""

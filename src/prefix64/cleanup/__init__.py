"""
C{prefix64 cleanup}: what crashed runs left in the kernel, removed.
"""

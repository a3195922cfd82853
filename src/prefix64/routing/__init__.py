"""
The kernel's tables: what is wanted, what is there, and how the one becomes the other.
"""

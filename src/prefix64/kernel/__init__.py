"""
The kernel, read and changed: rtnetlink, nf_tables, /proc.
"""

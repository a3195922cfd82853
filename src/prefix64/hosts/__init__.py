"""
Which site an address has.
"""

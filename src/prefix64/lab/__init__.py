"""
The laboratory: a router and a server in two network namespaces, to see prefix64 work.
"""

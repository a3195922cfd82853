r"""
A server endpoint of Twisted that owns a prefix, such as
C{prefix64:80:prefix=2001\:db8\:\:/64:iface=eth0}.
"""

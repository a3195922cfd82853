"""
HTTP, with the site chosen by the local address of the connection.
"""

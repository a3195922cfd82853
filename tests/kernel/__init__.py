"""
Tests of the real thing: network namespaces that each test makes and removes, the kernel as the
peer, and the clients that people use. They need root.
"""

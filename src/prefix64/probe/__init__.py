"""
The probe: asks for an address on the link as a router does, and says what is wrong with what comes.
"""

"""
The interface: frames in and out of the kernel.
"""

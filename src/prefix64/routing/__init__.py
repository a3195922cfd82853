"""
What is wanted in the kernel, and whose is what: values.
"""

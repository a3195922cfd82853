"""
The services: what starts and stops, in which order.
"""

"""
Options, from the texts of a command line or a file to settings.
"""

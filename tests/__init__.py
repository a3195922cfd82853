"""
The tests: C{python -m twisted.trial tests}.
"""

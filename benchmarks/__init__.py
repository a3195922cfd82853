"""
What prefix64 claims about speed, measured against what users run today, in the same run.
"""

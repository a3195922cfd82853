"""
C{prefix64 doctor}: why nothing answers. Facts are gathered, then judged; nothing is changed.
"""

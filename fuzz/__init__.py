"""
Coverage-guided fuzzing, for as long as one likes: C{make fuzz FUZZ_SECONDS=3600}.
"""

"""Measures vhdlift beside what a user would write instead: ratios, from one run, on this machine."""

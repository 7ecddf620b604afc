"""Recorded exchanges with the real service, restated as data, and what plays them against the stand-in."""

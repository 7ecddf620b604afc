"""Many runs at once in one process, against a stand-in that answers one call in a hundred wrongly."""

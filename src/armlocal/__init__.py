"""A stand-in for the parts of Azure that vhdlift speaks to, for rehearsals and tests without an account."""

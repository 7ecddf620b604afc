"""Resource providers, one file each: routes, bodies and state of one namespace of ARM."""

"""Azure through the official SDKs: clients, waiting, ownership, storage, sizes, preflight, DNS."""

"""The Azure CLI as a client of the stand-in: nobody here wrote it. Opt-in: `make test-azcli`."""

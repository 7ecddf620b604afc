"""A fresh Windows VM in Azure, and an existing one's disk as a bootable VHD."""

__version__ = "0.1.0"

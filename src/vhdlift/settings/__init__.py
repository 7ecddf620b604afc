"""What a run is told from outside: options, environment, `.env` and `vhdlift.toml`, checked as a whole."""

from vhdlift.settings.load import load_settings
from vhdlift.settings.model import Settings, child_environment
from vhdlift.settings.passwords import make_admin_password

__all__ = ["Settings", "child_environment", "load_settings", "make_admin_password"]

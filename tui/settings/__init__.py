"""What can be set, and how it is found: flag, `TRAINDECK_…`, the person's file, the site's file."""

from tui.settings.loader import Loaded, load, user_file
from tui.settings.model import Settings

__all__ = ["Loaded", "Settings", "load", "user_file"]

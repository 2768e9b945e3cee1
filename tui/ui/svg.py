"""Pictures of the screen that open without a network."""

import re

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def without_addresses(svg: str) -> str:
    """Remove the web fonts from a Rich SVG: who opens it fetches nothing; a local monospace font serves."""
    return _FONT_FACE.sub("", svg)

"""Pictures of the screen that open without a network."""

import re

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def without_addresses(svg: str) -> str:
    """A Rich SVG without its web fonts: who opens it fetches nothing; a local monospace font serves."""
    return _FONT_FACE.sub("", svg)

"""The generated parts of README.md. `make readme` writes them; a test says when they are out of date."""

import re
from pathlib import Path

from tui.actions import ACTIONS, Where
from tui.settings.show import table

README = Path(__file__).parent.parent / "README.md"


def keys() -> str:
    lines = ["| where | key | what it does |", "|---|---|---|"]
    for place in Where:
        for action in ACTIONS:
            if action.where == place:
                names = " ".join(f"`{key}`" for key in action.shown_keys)
                lines.append(f"| {place} | {names} | {action.help} |")
    return "\n".join(lines)


def sections() -> dict[str, str]:
    """Marker name -> the text that belongs between its markers."""
    return {"keys": keys(), "settings": table()}


def rendered(text: str) -> str:
    """README's text with every generated part as it should be."""
    for name, body in sections().items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, body=body: f"{match[1]}{body}\n{match[2]}", text)
        if count != 1:
            raise ValueError(f"README.md has {count} parts marked {name}")
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))

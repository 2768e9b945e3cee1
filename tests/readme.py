"""The generated parts of README.md, and the man page. `make readme` writes them; a test says when stale."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

from backend.settings import ServerSettings
from tui.actions import ACTIONS, Place
from tui.cli.man import page
from tui.settings.show import markdown_table, toml

README = Path(__file__).parent.parent / "README.md"
MAN = README.with_name("deploy") / "traindeck.1"


def keys() -> str:
    lines = ["| where | key | what it does |", "|---|---|---|"]
    for place in Place:
        for action in ACTIONS:
            if action.where == place:
                names = " ".join(f"`{key}`" for key in action.shown_keys)
                lines.append(f"| {place} | {names} | {action.help} |")
    return "\n".join(lines)


def server() -> str:
    """Every setting of a server, with the words that stand under it in the code."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    body = ast.parse(inspect.getsource(ServerSettings)).body[0].body  # type: ignore[attr-defined]
    for field, words in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(words, ast.Expr):
            name = field.target.id  # type: ignore[union-attr]
            lines.append(f"| `{name}` | {_default(name)} | {words.value.value} |")
    return "\n".join(lines)


def _default(name: str) -> str:
    default = ServerSettings.model_fields[name].default
    return f"`{toml(default)}`" if isinstance(default, str | bool | int | float) else ""


def sections() -> dict[str, str]:
    """Marker name -> the text that belongs between its markers."""
    return {"keys": keys(), "settings": markdown_table(), "server": server()}


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
    MAN.write_text(f"{page()}\n")

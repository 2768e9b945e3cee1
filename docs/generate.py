"""The pages of docs/reference and the man page, from the tables in the code. `make docs` writes them.

`tests/test_repository.py` says when one of them is stale.
"""

import ast
import inspect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from backend.settings import ServerSettings
from docs.schema_pages import api, json_output, table
from tui.actions import ACTIONS, Place
from tui.cli.commands import COMMANDS, EXAMPLES, EXIT_CODES, Command, build_parser
from tui.cli.flag_table import Argument, arguments_of, global_arguments
from tui.cli.man import page as man_page
from tui.settings.show import markdown_table, toml

DOCS = Path(__file__).parent
MAN = DOCS.parent / "deploy" / "traindeck.1"


def pages() -> dict[Path, str]:
    """Every generated file -> its whole text."""
    reference = {
        "keys": _page("Keys", "tui/actions.py", KEYS, keys()),
        "commands": _page("Commands", "tui/cli/commands.py and the flags of each verb", VERBS, commands()),
        "settings": _page("Settings", "tui/settings/model.py", SETTINGS, markdown_table()),
        "server-settings": _page("Settings of a server", "backend/settings.py", SERVER, server_settings()),
        "api": _page("REST API", "the server's OpenAPI document", API, api()),
        "json": _page("JSON output", "the models in backend_client", JSON, json_output()),
    }
    return {MAN: f"{man_page()}\n"} | {
        DOCS / "reference" / f"{name}.md": text for name, text in reference.items()
    }


KEYS = """\
What each key does, by what has the focus. `?` shows the same on the screen. Each can be changed in the
settings file: `keys.<action>`; `traindeck config --init` writes them all, with their actions' names."""
VERBS = "`traindeck` without a verb is the full-screen program. A verb does one step and ends."
SETTINGS = (
    "What can stand in the settings file; [USING.md](../USING.md#settings) says which file weighs more."
)
SERVER = """\
Each is `TRAINDECK_SERVER_NAME` in the environment, or `name` in `/etc/traindeck/server.toml`; lists and
tables in the environment are JSON. [SERVER.md](../SERVER.md) says what they are for."""
API = """\
A request carries `Authorization: Bearer TOKEN`; [SERVER.md](../SERVER.md#the-api) shows how to get one with
curl. The server has the whole document at `/api/openapi.json`. Every error is an `application/problem+json`
with a [Problem](#problem)."""
JSON = """\
`-o json` is an interface: a field keeps its name and meaning. Data goes to stdout, words to stderr. Times are
RFC 3339 in UTC. `-o yaml` prints the same data as YAML, but for `describe`, which prints a spec file.

Every job has its `name` on top, beside the fields of [Job](#job)."""


def _page(title: str, source: str, about: str, body: str) -> str:
    note = f"<!-- Generated from {source}: change that, then `make docs`. -->"
    return f"# {title}\n\n{note}\n\n{about}\n\n{body}\n"


def keys() -> str:
    """A table of every key, place by place."""
    rows = []
    for place in Place:
        for action in ACTIONS:
            if action.where == place:
                names = " ".join(f"`{key}`" for key in action.shown_keys)
                rows.append((str(place), names, action.help))
    return table(("where", "key", "what it does"), rows)


def commands() -> str:
    """Every verb with its flags, then what holds for all of them."""
    parts = [_flags("flag of every verb", global_arguments())]
    for group in dict.fromkeys(verb.group for verb in COMMANDS):
        parts.append(f"## {group.capitalize()}")
        parts += [part for verb in COMMANDS if verb.group == group for part in _verb(verb)]
    parts += ["## Exit codes", *_block(EXIT_CODES), "## Examples", *_block(EXAMPLES)]
    return "\n\n".join(parts)


def _verb(verb: Command) -> Iterator[str]:
    yield f"### `traindeck {verb.name}`"
    yield f"    traindeck {verb.name} {verb.usage}".rstrip()
    yield f"{verb.summary[0].upper()}{verb.summary[1:]}."
    if arguments := arguments_of(verb):
        yield _flags("flag or word", arguments)
    if about := build_parser(verb).epilog:
        yield f"```\n{about}\n```"


def _flags(title: str, arguments: Sequence[Argument]) -> str:
    rows = []
    for argument in arguments:
        value = argument.metavar if argument.value else ""
        name = f"{', '.join(argument.flags)} {value}".strip()
        unsaid = [word for word in argument.choices if word not in argument.help]
        words = f". One of: {', '.join(argument.choices)}" if unsaid else ""
        rows.append((f"`{name}`", f"{argument.help}{words}"))
    return table((title, "what it is"), rows)


def _block(text: str) -> Iterator[str]:
    """The lines below the title of a text of --help."""
    yield "```\n" + inspect.cleandoc(text.partition("\n")[2]) + "\n```"


def server_settings() -> str:
    """Every setting of a server, with the docstring that stands under it in the code."""
    rows = []
    body = ast.parse(inspect.getsource(ServerSettings)).body[0].body  # type: ignore[attr-defined]
    for field, words in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(words, ast.Expr):
            name = field.target.id  # type: ignore[union-attr]
            rows.append((f"`{name}`", _default(name), words.value.value))  # type: ignore[attr-defined]
    return table(("setting", "default", "what it is"), rows)


def _default(name: str) -> str:
    default = ServerSettings.model_fields[name].default
    return f"`{toml(default)}`" if isinstance(default, str | bool | int | float) else ""


if __name__ == "__main__":
    for file, text in pages().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

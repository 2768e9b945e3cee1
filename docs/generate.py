"""The pages of docs/reference, docs/WHY.md and the man page, from the tables in the code.

`make docs` writes them; `tests/test_repository.py` says when one of them is stale.
"""

import ast
import inspect
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from backend.settings import ServerSettings
from backend_client.kubernetes.status.causes import CAUSES
from backend_client.kubernetes.status.queue_causes import QUEUE_CAUSES
from backend_client.local.causes import LOCAL_CAUSES
from backend_client.models.alert_thresholds import THRESHOLDS
from backend_client.why import CauseKind
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
        "alerts": _page("Alerts", ALERT_SOURCES, ALERTS, alerts()),
        "progress": _page("Progress and loss", "tests/backend_client/progress", PROGRESS, progress()),
        "json": _page("JSON output", "the models in backend_client", JSON, json_output()),
    }
    why = _page("Why a job does not run, or ended badly", WHY_SOURCES, WHY, causes())
    return {MAN: f"{man_page()}\n", DOCS / "WHY.md": why} | {
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


PROGRESS = """\
What is read out of a job's log, by the library that writes it: every row is what the tests read of that
library's lines, in part of its true output. "-" is what its lines do not tell, or not surely.

A line of your own is always read where it stands alone and says, in any order, a step (or an epoch) and a
loss: `step 120/5000 loss 0.4127`, `epoch=3 epochs=10 loss=0.41`, `{"step": 120, "max_steps": 500, "loss":
0.41}`. `1.9 it/s` or `0.5 s/it` beside it is the rate, `eta 1:02:03` the time left; without these our own
clock gives both. What a launcher or a logger writes before it does no harm: ranks, hosts, pods, times,
levels.

Not the training's: losses and steps beside, behind or below the words val, valid, validation, eval,
evaluation, test, dev and holdout (`val_loss`, `[valid]`, `split=test`, a line "Validation:" of its own);
bars of downloads, of loading and of other work; a bar of examples or bytes that shows no loss. Left out
rather than guessed: the sum of losses that are printed one by one, a round of boosting, a Keras `fit` of a
single epoch (it looks like an `evaluate`). A loss of nan or inf is shown as that word, in JSON too, which
has no such number."""


WHY_SOURCES = "causes.py of backend_client/kubernetes/status and backend_client/local, and queue_causes.py"
WHY = """\
The causes that traindeck tells apart in a Kubernetes cluster, and on this machine, each with one sentence as
it stands in the list. The answer to "why" is a chain: from the job down to the object that blocks, each link
with its id, its sentence, its object, since when that is so, and what the object says itself. The last link
is the cause; those above it say how far the job came.

A sentence is made of a structured field, or of a message that a tested parser knows. Any other message stands
as the cluster wrote it, with an empty id. What may not be read is said, with the right that is missing."""


ALERT_SOURCES = "backend_client/alerts/rules.py and backend_client/models/alert_thresholds.py"
ALERTS = """\
What every job is looked at for. "on", "off" or a threshold as in the second column can be written for each:
in a job's own `alerts`, with `--alert RULE=WHEN`, under `[alerts.rules]` of the settings, and in the wishes
that a server keeps. T is the threshold."""


def alerts() -> str:
    """A table of every rule with its default."""
    rows = [
        (f"`{name}`", f"`{rule.default}`", rule.title, rule.about("T")) for name, rule in THRESHOLDS.items()
    ]
    return table(("rule", "default", "title", "when it fires, and when not"), rows)


def causes() -> str:
    """A table of every cause for each group of ids."""
    groups: dict[str, list[CauseKind]] = {}
    for kind in (*CAUSES, *QUEUE_CAUSES, *LOCAL_CAUSES):
        groups.setdefault(CAUSE_GROUPS[kind.id.partition(".")[0]], []).append(kind)
    parts = []
    for title, kinds in groups.items():
        rows = [(f"`{kind.id}`", kind.example, kind.way_out) for kind in kinds]
        parts += [f"## {title}", table(("cause", "what is said, for example", "what ends it"), rows)]
    return "\n\n".join(parts)


CAUSE_GROUPS = {
    "job": "The job",
    "admission": "What the cluster does not admit",
    "schedule": "No node for it",
    "volume": "Volumes",
    "config": "Secrets and ConfigMaps",
    "image": "Images",
    "container": "Containers",
    "sandbox": "Containers",
    "exit": "How it ended",
    "pod": "The pod",
    "node": "The node",
    "queue": "The queue",
    "local": "On this machine",
}
"""Beginning of an id -> the heading of its group."""


def _page(title: str, source: str, about: str, body: str) -> str:
    note = f"<!-- Generated from {source}: change that, then `make docs`. -->"
    return f"# {title}\n\n{note}\n\n{about}\n\n{body}\n"


def progress() -> str:
    """A table of the libraries whose lines the tests read, and what is read of each."""
    folder = DOCS.parent / "tests" / "backend_client" / "progress"
    cases = [json.loads(line) for line in (folder / "lines.jsonl").read_text().splitlines()]
    cases += json.loads((folder / "recorded" / "want.json").read_text()).values()
    read: dict[str, set[str]] = {}
    for case in cases:
        if library := case.get("library"):
            told = {name for name, figure in (case["want"] or {}).items() if figure is not None}
            read.setdefault(library, set()).update(told)
    figures = ("step", "total", "loss", "rate", "seconds_left")
    rows = [
        (library, *("yes" if figure in read[library] else "-" for figure in figures))
        for library in sorted(read, key=str.lower)
    ]
    return table(("library", "step", "of how many", "loss", "rate", "time left"), rows)


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

"""The reference pages whose source is a model: the REST API, and what `-o json` prints."""

import ast
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import EnumType
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from backend.app import create_app
from backend.settings import ServerSettings
from backend_client.alerts.alert import Alert, AlertList, AlertWishes, Channel, Delivery, QuietHours
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder
from backend_client.history import HistoryEntry
from backend_client.models import (
    Attempt,
    Eviction,
    Job,
    JobRef,
    JobSpec,
    JobUsage,
    Pause,
    Progress,
    QueuePlace,
    StartRange,
)
from backend_client.models.code import Code
from backend_client.models.outputs import Outputs
from backend_client.models.spec import Port, Sweep, Toleration, Volume
from backend_client.output_files import FileList, OutputFile
from backend_client.queues import (
    ClusterQueueInfo,
    FlavorQuota,
    FlavorUse,
    LocalQueueInfo,
    QueueBoard,
    QueuePriority,
    WaitingJob,
)
from backend_client.usage import ContainerUsage, GpuUsage, RankUsage, Usage, UsageSource, UsageTable
from backend_client.usage_report import ReportRow, UsageReport
from backend_client.why import Cause, Explanation, Failure, Offer
from tui.cli.checks import Finding

STRUCTS = (
    *(
        Job,
        JobRef,
        Progress,
        JobUsage,
        Attempt,
        Eviction,
        Pause,
        QueuePlace,
        StartRange,
        Code,
        Outputs,
        JobSpec,
        Port,
        Toleration,
        Volume,
        Sweep,
    ),
    *(Explanation, Cause, Offer, Failure, GpuNodes, GpuNode, Holder, HistoryEntry, Finding),
    *(QueueBoard, ClusterQueueInfo, FlavorQuota, LocalQueueInfo, FlavorUse, WaitingJob, QueuePriority),
    *(UsageTable, Usage, RankUsage, GpuUsage, ContainerUsage, UsageSource),
    *(UsageReport, ReportRow),
    *(FileList, OutputFile),
    *(AlertList, Alert, Delivery, AlertWishes, Channel, QuietHours),
)
"""What `-o json` prints; `tests/tui/cli/test_commands.py` holds the command line to them."""
PRINTED = {
    "`jobs`": "a list of [Job](#job)",
    "`jobs -w`": "one [Job](#job) a line, for each change",
    "`describe`, `submit`, `again`, `wait`": "one [Job](#job)",
    "`submit --each`, `again --sweep`": "a list of [Job](#job)",
    "`why`": "one [Explanation](#explanation)",
    "`stop`, `resume`": "a list of [Job](#job), as they are afterwards",
    "`history`": "a list of [HistoryEntry](#historyentry)",
    "`queue`": "one [QueueBoard](#queueboard); `queue hold` and the like: one [Job](#job)",
    "`usage`": "one [UsageReport](#usagereport)",
    "`alerts`": "one [AlertList](#alertlist); `alerts ack` and `snooze`: a list of [Alert](#alert)",
    "`alerts wishes`, `set`": "one [AlertWishes](#alertwishes)",
    "`alerts channels`, `quiet`": "a list of [Channel](#channel), one after `add`;"
    " a [Delivery](#delivery) after `test`; [QuietHours](#quiethours)",
    "`gpus`": "one [GpuNodes](#gpunodes)",
    "`files`": "one [FileList](#filelist)",
    "`top`": "one [UsageTable](#usagetable); `top NAME`: one [Usage](#usage); with `-w` one a line",
    "`doctor`": "a list of [Finding](#finding)",
    "`contexts`": "a list of `name`, `kind`, `about`, `hidden` (why it cannot be used), `current`",
    "`config`": "an object: key -> `value`, `from`",
    "`clusters`": "a list of `name`, `state`, `since`, `why`, `usage` (a list of `UsageSource`)",
    "`login`, `register`": "`name`, `url`, `user`, `store`, `role`, `expires`",
    "`whoami`": "`context`, `user`, and `role` at a server, `place` elsewhere",
    "`tokens`": "a list of [TokenInfo](api.md#tokeninfo)",
    "`users`": "a list of [Person](api.md#person)",
}


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a `|` within a cell is escaped."""
    lines = [titles, ["---"] * len(titles), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    head, rule, *rest = [" | ".join(line) for line in lines]
    return "\n".join([f"| {head} |", f"|{rule.replace(' ', '')}|", *(f"| {line} |" for line in rest)])


def json_output() -> str:
    """What each verb prints, then the fields of every object in it."""
    parts = [table(("verb", "what it prints"), PRINTED.items())]
    for struct in STRUCTS:
        notes = _notes(struct)
        rows = [
            (f"`{field.encode_name}`", _type_text(hint), notes.get(field.name, ""))
            for field, hint in zip(msgspec.structs.fields(struct), _hints(struct), strict=True)
        ]
        parts += [
            f"## {struct.__name__}",
            _first_line(struct.__doc__),
            table(("field", "type", "what it is"), rows),
        ]
    return "\n\n".join(parts)


def _hints(struct: type[Struct]) -> list[Any]:
    hints = get_type_hints(struct, include_extras=True)
    return [hints[name] for name in struct.__struct_fields__]


def _notes(struct: type[Struct]) -> dict[str, str]:
    """Field -> what is said of it: the docstring under it, else its description."""
    notes = {
        name: hint.__metadata__[0].description or ""
        for name, hint in zip(struct.__struct_fields__, _hints(struct), strict=True)
        if get_origin(hint) is Annotated
    }
    body = ast.parse(inspect.getsource(struct)).body[0].body  # type: ignore[attr-defined]
    for field, words in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(words, ast.Expr):
            notes[field.target.id] = " ".join(str(words.value.value).split())  # type: ignore[union-attr, attr-defined]
    return notes


_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", datetime: "time"}


def _type_text(hint: Any) -> str:
    """A type as a reader of JSON calls it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type_text(inner[0])
    if origin in (types.UnionType, Union):
        return " or ".join(_type_text(one) if one is not types.NoneType else "null" for one in inner)
    if origin is tuple:
        return f"list of {_type_text(inner[0])}"
    if origin in (dict, Mapping):
        return "object" if inner[1] is Any else f"object of {_type_text(inner[1])}"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if isinstance(hint, EnumType):
        return ", ".join(f"`{member.value}`" for member in hint)
    return _PLAIN.get(hint) or f"[{hint.__name__}](#{hint.__name__.lower()})"


def api() -> str:
    """Every route, by tag, then every schema."""
    document = create_app(ServerSettings(), announce=str).openapi()
    parts = []
    for tag in document["tags"]:
        parts += [f"## {tag['name'].capitalize()}", tag["description"]]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    parts += _route(method, path, operation)
    parts += ["## Schemas", "A `?` marks what a request may leave out."]
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += _schema(name, schema)
    return "\n\n".join(parts)


def _route(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`"
    yield operation.get("description", "")
    if parameters := operation.get("parameters"):
        rows = [
            (f"`{one['name']}`", one["in"], _schema_text(one["schema"]), _default(one["schema"]))
            for one in parameters
        ]
        yield table(("parameter", "in", "type", "default"), rows)
    yield " ".join([*_body(operation), *_answers(operation)])


def _body(operation: Mapping[str, Any]) -> Iterator[str]:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield f"Body: {_schema_text(media['schema'])}."


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if status != "default":
            kinds = [
                _schema_text(media.get("schema", {})) or f"`{name}`"
                for name, media in answer.get("content", {}).items()
            ]
            yield f"Answers {status}{': ' if kinds else ''}{' or '.join(kinds)}."


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    if words := _first_line(schema.get("description")):
        yield words
    if "enum" in schema:
        yield _schema_text(schema)
        return
    needed = schema.get("required", ())
    rows = [
        (f"`{field}`{'' if field in needed else ' ?'}", _schema_text(rule), rule.get("description", ""))
        for field, rule in schema.get("properties", {}).items()
    ]
    yield table(("field", "type", "what it is"), rows)


_JSON = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def _schema_text(schema: Mapping[str, Any]) -> str:
    """A schema in words, with a link to one that has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_schema_text, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {_schema_text(schema.get('items', {})) or 'values'}"
        case "object":
            inner = schema.get("additionalProperties")
            return f"object of {_schema_text(inner)}" if isinstance(inner, dict) and inner else "object"
        case "string" if schema.get("format") == "date-time":
            return "time"
        case kind:
            return _JSON.get(str(kind), "")


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return "" if default in (None, "", []) else f"`{msgspec.json.encode(default).decode()}`"


def _first_line(words: str | None) -> str:
    """A docstring as one line."""
    return " ".join(inspect.cleandoc(words or "").split())

"""The form for a new job as a browser sends it and as a page shows it: read and judged as the screen's is.

Pure. A field of a job is `f.NAME` in the form and in the query of a link that fills it in.
"""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from backend.web.forms import Form
from backend_client.errors import Invalid
from backend_client.gpu_fit import start_words
from backend_client.gpu_nodes import GpuNodes
from backend_client.models import JobSpec
from backend_client.models.fields import DEFAULTS, FIELD_NAMES, field_text, parse_field
from backend_client.models.secret import Secret
from backend_client.models.shell_words import command_notes, in_shell, join_lines
from backend_client.protocol import Choice, FieldRule, Use
from backend_client.text.form_fields import (
    EXAMPLES,
    FIRST,
    LABELS,
    MULTI_WORD,
    changed_words,
    command_words,
    description,
    missing,
    read_fields,
    refusals,
)
from backend_client.text.gpus import free_words
from backend_client.text.sanitize import UNSAFE

PREFIX = "f."
_VALUE_OF = "secret."
_WAS, _MARK = "was.", "mark"
_LINES = frozenset(("command", "env", "labels", "annotations", "alerts"))
"""Fields with a box of several lines: a line break parts words there, as a blank does."""
_MAX_KEY = 64
_NO_FOLDERS = "code: a browser sends no folder; traindeck submit --code DIR does"
_CODE_HELP = "the code of a job of yours, as it was; empty it to run without"


class Draft(Struct, frozen=True, kw_only=True):
    """What stands in a form, as it was typed."""

    texts: Mapping[str, str]
    """Field -> its text."""
    key: str
    """The same for as long as the form is open: what is sent twice with it makes one job."""
    suggested: str = ""
    """The name of a job that is given none."""
    marked: frozenset[str] = frozenset()
    """Fields that an offer has filled in."""
    before: Mapping[str, str] = {}
    """Field -> the text that an old job had there, of those that an offer changes."""

    def raw(self) -> dict[str, str]:
        """Return field -> what `parse_field` should read."""
        name = self.texts.get("name", "").strip() or self.suggested
        command = join_lines(self.texts.get("command", ""))
        return {**self.texts, "name": name, "command": command}

    def read(self, rules: Mapping[str, FieldRule]) -> tuple[JobSpec | None, dict[str, str]]:
        """Parse the fields: the spec (None where it is none), and field -> what is wrong."""
        return read_fields(self.raw(), rules)

    def spec(self, rules: Mapping[str, FieldRule]) -> JobSpec:
        """Return the spec. Raises Invalid, which names every field that is wrong or lacks."""
        spec, wrong = self.read(rules)
        wrong = wrong or (missing(spec, rules) if spec else {})
        if wrong or spec is None:
            raise Invalid(wrong)
        return spec

    def in_shell(self) -> "Draft":
        """Return the draft with a shell around its command, unless one is there."""
        try:
            words = tuple(parse_field("command", self.raw()["command"]))
        except ValueError:
            return self
        if not words or words[:2] == ("sh", "-c"):
            return self
        return replace(self, texts={**self.texts, "command": in_shell(self.texts["command"])})

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield (name, value) of all of it, as fields of a form."""
        yield from ((f"{PREFIX}{name}", text) for name, text in self.texts.items())
        yield from self.beside()

    def beside(self) -> Iterator[tuple[str, str]]:
        """Yield (name, value) of what no field of the form shows."""
        yield "key", self.key
        yield "suggested", self.suggested
        yield from ((_MARK, name) for name in sorted(self.marked))
        yield from ((f"{_WAS}{name}", text) for name, text in self.before.items())


class FieldView(Struct, frozen=True, kw_only=True):
    """A field as the page shows it."""

    name: str
    text: str
    wide: bool
    """It has a box of several lines."""
    label: str
    help: str
    example: str
    choices: Sequence[Choice] = ()
    why: str = ""
    """Why the choices are not known."""
    several: bool = False
    """A choice is one word of several."""
    error: str = ""
    warning: str = ""
    remark: str = ""
    marked: bool = False


class Notes(Struct, frozen=True, kw_only=True):
    """What is said at the fields of a form, by field; "" is the form as a whole."""

    errors: Mapping[str, str] = {}
    warnings: Mapping[str, str] = {}
    remarks: Mapping[str, str] = {}


def new_draft(
    texts: Mapping[str, str],
    *,
    suggested: str = "",
    marked: frozenset[str] = frozenset(),
    before: Mapping[str, str] | None = None,
) -> Draft:
    """Return a draft with a key of its own."""
    return Draft(
        texts=texts,
        key=secrets.token_urlsafe(16),
        suggested=suggested,
        marked=marked,
        before=before or {},
    )


def read_draft(form: Form) -> Draft:
    """Read a draft out of what a browser sent; fields that no job has are left out."""
    return Draft(
        texts={name: form[PREFIX + name] for name in FIELD_NAMES if PREFIX + name in form},
        key=form.text("key")[:_MAX_KEY] or secrets.token_urlsafe(16),
        suggested=form.text("suggested"),
        marked=frozenset(form.all(_MARK)) & frozenset(FIELD_NAMES),
        before={name: form[_WAS + name] for name in FIELD_NAMES if _WAS + name in form},
    )


def read_secrets(form: Form, spec: JobSpec) -> dict[str, Secret]:
    """Read the values of a spec's secrets; an empty one is none."""
    values = {name: form.text(_VALUE_OF + name) for name in spec.secrets}
    return {name: Secret(value) for name, value in values.items() if value}


def spec_texts(spec: JobSpec) -> dict[str, str]:
    """Return field -> its text, of the fields that a spec sets."""
    return {
        name: field_text(name, value)
        for name in FIELD_NAMES
        if (value := getattr(spec, name)) != getattr(DEFAULTS, name) or name == "kind"
    }


def notes_on(draft: Draft, rules: Mapping[str, FieldRule], machines: GpuNodes | None) -> Notes:
    """Return what can be said of a draft without asking its cluster."""
    spec, wrong = draft.read(rules)
    remarks = {name: changed_words(text) for name, text in draft.before.items()}
    starts = start_words(machines, spec) if machines and spec else ""
    if gpus := "; ".join(filter(None, (remarks.get("gpus"), starts))):
        remarks["gpus"] = gpus
    warnings = {
        name: "has a character that cannot be shown"
        for name, text in draft.texts.items()
        if UNSAFE.search(text.replace("\n", " ").replace("\t", " "))
    }
    if "command" not in wrong:
        raw = draft.raw()["command"]
        if notes := command_notes(raw):
            warnings["command"] = "; ".join(notes)
        if (runs := command_words(raw)) != raw.strip():
            remarks["command"] = f"runs: {runs}"
    return Notes(errors=wrong, warnings=warnings, remarks=remarks)


def shown_fields(draft: Draft, rules: Mapping[str, FieldRule]) -> list[str]:
    """Return the fields that the page shows, in their order: one that is refused where it is filled in.

    So is code: an old job's can run again, but a browser sends no folder.
    """
    return [
        name
        for name in (*FIRST, *(name for name in FIELD_NAMES if name not in FIRST))
        if (rules[name].use != Use.REFUSED and name != "code")
        or (name != "kind" and draft.texts.get(name, "").strip())
    ]


def absences(rules: Mapping[str, FieldRule], shown: Collection[str]) -> list[str]:
    """Return a line for each reason why fields are not shown."""
    code = [] if "code" in shown or rules["code"].use == Use.REFUSED else [_NO_FOLDERS]
    return [*refusals(rules, {*shown, *(("code",) if code else ())}), *code]


def field_views(
    draft: Draft,
    rules: Mapping[str, FieldRule],
    notes: Notes,
    choices: Mapping[str, Sequence[Choice] | str],
    machines: GpuNodes | None,
) -> list[FieldView]:
    """Return the fields as the page shows them. `choices`: of a field, or why they are not known."""
    views = []
    for name in shown_fields(draft, rules):
        text = draft.texts.get(name, DEFAULTS.kind if name == "kind" else "")
        offered = choices.get(name, ())
        free = f" · {free_words(machines)}" if name == "gpus" and machines else ""
        views.append(
            FieldView(
                name=name,
                text=text,
                wide=name in _LINES or "\n" in text,
                label=LABELS.get(name, name),
                help=_help(name) + free,
                example=draft.suggested or EXAMPLES[name] if name == "name" else EXAMPLES.get(name, ""),
                choices=() if isinstance(offered, str) else offered,
                why=offered if isinstance(offered, str) else "",
                several=name in MULTI_WORD,
                error=notes.errors.get(name, ""),
                warning=notes.warnings.get(name, ""),
                remark=notes.remarks.get(name, ""),
                marked=name in draft.marked,
            )
        )
    return views


def _help(name: str) -> str:
    if name == "code":
        return _CODE_HELP
    return "" if description(name) == name else description(name)


def loose_notes(notes: Notes, shown: Sequence[str]) -> list[str]:
    """Return what belongs to no field that is shown, each with the name of its field."""
    found = {**notes.warnings, **notes.errors}
    return [f"{name}: {words}".removeprefix(": ") for name, words in found.items() if name not in shown]

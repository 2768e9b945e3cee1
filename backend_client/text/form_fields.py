"""The fields of the form for a job: what they are called, ask for, and what is wrong with them. Pure."""

import shlex
from collections.abc import Collection, Container, Iterable, Mapping
from functools import cache
from typing import Any, get_type_hints

from backend_client.errors import Invalid, Refused
from backend_client.models import JobSpec
from backend_client.models.fields import (
    DEFAULTS,
    FIELD_NAMES,
    cross_field_errors,
    parse_field,
    parse_fields,
)
from backend_client.protocol import Diagnostic, FieldRule, Plan, Use
from backend_client.text.sanitize import clean

FIRST = ("name", "kind", "image", "command", "gpus")
"""Fields that are always shown, in this order; the rest is folded."""
MULTI_WORD = ("volumes", "image_pull_secrets")
"""Fields in which a choice is one word of several."""
KINDS = {"job": "until it finishes", "deployment": "until you stop it"}
LABELS = {"gpus": "GPUs", "kind": "runs", "node_selector": "node labels"}
EXAMPLES = {
    "name": "suggested from the command",
    "command": "as in a shell: torchrun train.py --lr 3e-4",
    "gpus": "0",
    "env": "NAME=VALUE NAME=VALUE",
    "labels": "KEY=VALUE KEY=VALUE",
    "annotations": "KEY=VALUE KEY=VALUE",
    "alerts": "gpu-idle=1h finished=on silent=off",
}
"""What a field shows while it is empty, where its description would not help."""
FIELDS_WITH_CHOICES = (
    "gpu_type",
    "priority",
    "queue",
    "queue_priority",
    "volumes",
    "outputs",
    "image_pull_secrets",
    "cluster",
)
"""Fields that stand for something the context has."""


def description(name: str) -> str:
    """Return what a field is for, as its type says it."""
    text: str = _hints()[name].__metadata__[0].description
    return text


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(JobSpec, include_extras=True)


def read_fields(
    raw: Mapping[str, object], rules: Mapping[str, FieldRule]
) -> tuple[JobSpec | None, dict[str, str]]:
    """Parse what stands in a form: the spec (None where it is none), and field -> what is wrong.

    Of a field that is refused that is said, whatever else is wrong with it: a server says the same.
    """
    try:
        spec = parse_fields(raw)
    except Invalid as error:
        return None, error.fields
    return spec, cross_field_errors(spec) | refused(spec, rules)


def missing(spec: JobSpec, rules: Mapping[str, FieldRule]) -> dict[str, str]:
    """Return the required fields that are empty: field -> sentence."""
    return {
        name: "must be filled in"
        for name in FIELD_NAMES
        if rules[name].use == Use.REQUIRED and getattr(spec, name) == getattr(DEFAULTS, name)
    }


def refused(spec: JobSpec, rules: Mapping[str, FieldRule]) -> dict[str, str]:
    """Return the fields that a spec sets though the context refuses them: field -> why."""
    return {
        name: rules[name].why
        for name in FIELD_NAMES
        if rules[name].use == Use.REFUSED and getattr(spec, name) != getattr(DEFAULTS, name)
    }


def by_field(diagnostics: Iterable[Diagnostic]) -> dict[str, str]:
    """Return field -> all messages about it, joined."""
    messages: dict[str, str] = {}
    for diagnostic in diagnostics:
        earlier = messages.get(diagnostic.field)
        messages[diagnostic.field] = "; ".join(filter(None, (earlier, diagnostic.message)))
    return messages


def check_plan(plan: Plan) -> None:
    """Check that nothing speaks against a plan. Raises Refused, by field."""
    if wrong := by_field(plan.errors):
        title = "; ".join(f"{name}: {words}".removeprefix(": ") for name, words in wrong.items())
        raise Refused(title, fields=wrong)


def to_do(empty: Collection[str]) -> str:
    """Return what is to be done before a plan is made: fill in these fields, or put others right."""
    todo = f"Fill in {', '.join(empty)}" if empty else "Put right what is marked"
    return f"{todo} to see here what would be made."


def fold_words(count: int, filled: Iterable[str]) -> str:
    """Return what stands for the fields that are folded: how many they are, and which are set."""
    words = ", ".join(filled)
    return f"{count} more fields" + (f"; set: {words}" if words else "")


def changed_words(before: str) -> str:
    """Return what is said of a field that an offer has changed: what it was."""
    return f"changed; it was {before or 'empty'}"


def command_words(raw: object) -> str:
    """Return a command as it runs, in a shell's spelling. Raises ValueError."""
    return shlex.join(parse_field("command", raw))


def refusals(rules: Mapping[str, FieldRule], shown: Container[str]) -> list[str]:
    """Return a line for each reason: the fields that are refused for it and not shown, and the reason."""
    names_by_reason: dict[str, list[str]] = {}
    for name in FIELD_NAMES:
        if name not in shown and name not in FIRST:
            names_by_reason.setdefault(rules[name].why, []).append(name)
    return [f"{', '.join(names)}: {clean(why)}" for why, names in names_by_reason.items()]

"""Sweeps: one job for each combination of some values, whose {KEY} stand in name, command and env. Pure."""

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec, Sweep
from backend_client.models.fields import parse_field, parse_spec
from backend_client.models.names import closest_match, slugify, suggest_name
from backend_client.models.parsers import MOST_SWEPT, SWEEP_KEY, sweep_key, sweep_value

Each = Mapping[str, tuple[str, ...]]
"""Key -> its values, in the order in which they were written."""
_RANGE = re.compile(r"(-?\d{1,9})\.\.(-?\d{1,9})")
_LIKE_A_RANGE = re.compile(r"-?[\d.]*\d\.\.[\w.-]*|\.\.-?\d[\d.]*")
_PLACE = re.compile(rf"\{{\{{({SWEEP_KEY.pattern})\}}\}}|(?<!\$)\{{({SWEEP_KEY.pattern})\}}")
"""{{KEY}}, which stands for {KEY} itself, or {KEY}; ${KEY} is a shell's."""


class SweepRequest(Struct, frozen=True, kw_only=True):
    """What a person wants of a sweep."""

    each: Each
    name: str = ""
    """Empty: that of its jobs, without their {KEY}."""
    at_once: int = 0
    """How many of its jobs run at a time; 0: as many as there is room for."""


def parse_sweep(raw: Mapping[str, Any]) -> SweepRequest:
    """Read the sweep of a spec file: a mapping with each, name and at_once. Raises Invalid."""
    known = SweepRequest.__struct_fields__
    if unknown := next((str(key) for key in raw if key not in known), ""):
        raise Invalid({"sweep": f"{unknown[:80]}: there are {', '.join(known)}"})
    try:
        return SweepRequest(
            each=parse_each(raw["each"]),
            name=parse_field("name", raw.get("name", "")),
            at_once=_count(raw.get("at_once", 0)),
        )
    except ValueError as error:
        raise Invalid({"sweep": str(error)}) from None


def _count(raw: object) -> int:
    text = str(raw)
    if isinstance(raw, bool) or not re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError("at_once: write a whole number of jobs")
    return int(text)


def parse_each(raw: object) -> dict[str, tuple[str, ...]]:
    """Read the values of every key: KEY=VALUES of flags, or the mapping of a spec file. Raises ValueError."""
    each: dict[str, tuple[str, ...]] = {}
    for key, values in _pairs(raw):
        if key in each:
            raise ValueError(f"{key} is given twice; put all its values in one")
        each[sweep_key(key)] = _values(key, values)
    if not each:
        raise ValueError("name a key and its values: lr=1e-4,3e-4")
    if (count := math.prod(map(len, each.values()))) > MOST_SWEPT:
        raise ValueError(f"{count} jobs; a sweep has at most {MOST_SWEPT}")
    return each


def _pairs(raw: object) -> Iterable[tuple[str, object]]:
    if isinstance(raw, Mapping):
        return [(str(key), values) for key, values in raw.items()]
    if not isinstance(raw, list | tuple):
        raise ValueError("each: name a key and its values: {lr: [1e-4, 3e-4], seed: 1..3}")
    pairs = []
    for text in map(str, raw):
        key, equals, values = text.partition("=")
        if not equals:
            raise ValueError(f"{text[:80]}: write KEY=VALUES: lr=1e-4,3e-4 or seed=1..3")
        pairs.append((key, values))
    return pairs


def _values(key: str, raw: object) -> tuple[str, ...]:
    """Return the values of one key: of a list, or of a text with commas between; ranges counted out."""
    if raw is None or raw in ("", [], {}):
        raise ValueError(f"{key} has no values")
    items = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, list | tuple) else [raw]
    if isinstance(raw, str) and not all(item.strip() for item in raw.split(",")):
        raise ValueError(f"{key} has an empty value; take a comma out")
    values: list[str] = []
    for item in items:
        try:
            values += _counted_out(sweep_value(item))
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        if len(values) > MOST_SWEPT:
            raise ValueError(
                f"{key} has more than {MOST_SWEPT} values; a sweep has at most {MOST_SWEPT} jobs"
            )
    if twice := next((value for value in values if values.count(value) > 1), None):
        raise ValueError(f"{key} has {twice[:80]} twice")
    return tuple(values)


def _counted_out(text: str) -> Iterable[str]:
    ends = _RANGE.fullmatch(text)
    if not ends:
        if _LIKE_A_RANGE.fullmatch(text):
            raise ValueError(f"{text[:80]} is no range; a range is of whole numbers: 1..3")
        return [text]
    first, last = int(ends[1]), int(ends[2])
    if last < first:
        raise ValueError(f"{text} counts down; write {last}..{first}")
    return map(str, range(first, min(last, first + MOST_SWEPT) + 1))


def expand(
    raw: Mapping[str, object],
    sweep: SweepRequest,
    taken: Collection[str] = (),
    sweeps: Collection[str] = (),
) -> list[JobSpec]:
    """Return the spec of each job of a sweep, in order; `raw` are the fields, with {KEY} in them.

    Where no name is given the command gives one, of which no job in `taken` nor a sweep in `sweeps` has the
    like. Raises Invalid, by field.
    """
    template = raw.get("name")
    spec = parse_spec({field: value for field, value in raw.items() if field not in ("name", "sweep")})
    combinations = [
        dict(zip(sweep.each, values, strict=True)) for values in itertools.product(*sweep.each.values())
    ]
    named = template.strip() if isinstance(template, str) else parse_spec({"name": template}).name
    names = _names(named, combinations) if named else _new_names(spec, len(combinations), taken, sweeps)
    title = sweep.name or (_without_keys(named) if named else names[0].rpartition("-")[0]) or "sweep"
    limit = sweep.at_once if sweep.at_once < len(combinations) else 0
    turns = _turns(f"{title} {dict(sweep.each)} {spec.command} {names}", limit)
    return [
        _spec_of(spec, name, Sweep(title, values, turns[number % limit] if limit else ""))
        for number, (name, values) in enumerate(zip(names, combinations, strict=True))
    ]


def _turns(what: str, count: int) -> list[str]:
    """Return words for turns that no other sweep has, but that this one has again when it is gone on with."""
    mark = hashlib.blake2b(what.encode(errors="replace"), digest_size=5).hexdigest()
    return [f"{mark}-{number}" for number in range(1, count + 1)]


def _spec_of(spec: JobSpec, name: str, sweep: Sweep) -> JobSpec:
    """Return the spec of one job: its name, and values in the places of their {KEY}. Raises Invalid."""
    errors: dict[str, str] = {}
    fields: dict[str, Any] = {}
    fills: dict[str, Callable[[], object]] = {
        "name": lambda: name,
        "command": lambda: [filled(word, sweep.values) for word in spec.command],
        "env": lambda: {key: filled(text, sweep.values) for key, text in spec.env.items()},
    }
    for field, fill in fills.items():
        try:
            fields[field] = parse_field(field, fill())
        except ValueError as error:
            errors[field] = str(error)
    if errors:
        raise Invalid(errors)
    return replace(spec, **fields, sweep=sweep)


def filled(text: str, values: Mapping[str, str], shown: Callable[[str], str] = str) -> str:
    """Return a text with values in the places of their {KEY}. Raises ValueError for a {KEY} that is none."""

    def value(place: re.Match[str]) -> str:
        literal, key = place.groups()
        if literal:
            return f"{{{literal}}}"
        if key not in values:
            likely = closest_match(key, values) or ", ".join(values)
            raise ValueError(
                f"there is no {{{key}}} in the sweep, but {likely}; "
                f"for the braces themselves write {{{{{key}}}}}"
            )
        return shown(values[key])

    return _PLACE.sub(value, text)


def unused(specs: Mapping[str, object], each: Each) -> list[str]:
    """Return the keys that stand nowhere: jobs that differ only in them are the same."""
    texts = [str(specs.get(field, "")) for field in ("name", "command", "env")]
    return [key for key in each if not any(f"{{{key}}}" in text for text in texts)]


def _names(template: str, combinations: Sequence[Mapping[str, str]]) -> list[str]:
    try:
        names = [_tidy(filled(template, values, slugify)) for values in combinations]
    except ValueError as error:
        raise Invalid({"name": str(error)}) from None
    if len(set(names)) == len(names):
        return names
    return [f"{name}-{number}" for number, name in enumerate(names, 1)]


def _tidy(name: str) -> str:
    """Take out the hyphens that a value without letters leaves."""
    return re.sub(r"--+", "-", name).strip("-")


def _without_keys(template: str) -> str:
    return _tidy(_PLACE.sub("-", template).replace("--", "-"))


def _new_names(spec: JobSpec, count: int, taken: Collection[str], sweeps: Collection[str]) -> list[str]:
    """Number jobs by a name that the command gives, where all of it is free."""
    words = [_PLACE.sub("", word) for word in spec.command]
    used = {re.sub(r"-\d+$", "", name) for name in taken} | set(taken) | set(sweeps)
    base = suggest_name(words, used)
    return [f"{base}-{number}" for number in range(1, count + 1)]


def job_key(key: str, number: int) -> str:
    """Return the idempotency key of one job of a sweep: the same of the same, so that none is made twice."""
    return hashlib.blake2b(f"{key}/{number}".encode(), digest_size=16).hexdigest()


def is_same(job: Job, spec: JobSpec) -> bool:
    """Check whether a job is that of a sweep: its name, its place in the sweep, its command."""
    return (job.name, job.spec.sweep, job.spec.command) == (spec.name, spec.sweep, spec.command)


def last_of_each(jobs: Iterable[Job]) -> list[Job]:
    """Return of the jobs with the same values the newest: what was run again counts no more."""
    newest: dict[tuple[object, ...], Job] = {}
    for job in sorted(jobs, key=lambda job: job.created):
        newest[job.ref.namespace, job.spec.sweep.name, *sorted(job.spec.sweep.values.items())] = job
    return [*newest.values()]

"""Spec files, written and read; and the spec of an old job, to use again: as the YAML of `submit -f`, under
the next name, as a job that runs once, with changes.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec
from backend_client.models.fields import FIELD_NAMES, parse_field, spec_fields
from backend_client.models.names import suggest_name

LARGEST = 2**20
"""Bytes of a spec file that are read."""


def read_spec(content: bytes, shown: str) -> dict[str, Any]:
    """Read the mapping in a spec file, which errors call `shown`. Raises Invalid, with a fault's line."""
    from backend_client.yaml_reader import YamlFault, read_one  # noqa: PLC0415  slow to import, seldom needed

    if len(content) > LARGEST:
        raise Invalid({"file": "it is larger than 1 MiB, which no spec file is"})
    try:
        raw = read_one(content)
    except YamlFault as fault:
        raise Invalid({"file": f"{shown} {_behind(str(fault))}"}) from None
    if raw is None:
        raise Invalid({"file": f"{shown} is no mapping of a job's fields: it is empty"})
    if not isinstance(raw, dict):
        raise Invalid({"file": f"{shown} is no mapping of a job's fields"})
    return {str(key): value for key, value in raw.items()}


def _behind(fault: str) -> str:
    return f"in {fault}" if fault.startswith("line ") else fault


def spec_yaml(spec: JobSpec) -> str:
    """Return the explicit fields of a spec as YAML, in their order; one a line where the values allow it."""
    import yaml  # noqa: PLC0415  slow to import, and rarely needed

    return yaml.safe_dump(spec_fields(spec), sort_keys=False, allow_unicode=True, width=100)


def no_spec(job: Job) -> str:
    """Return why no spec of traindeck makes a job again, and what has its object; "" for all but a few."""
    if not job.made_by:
        return ""
    ref = job.ref
    return (
        f"made by {job.made_by}: no spec file of traindeck makes it again; its object: "
        f"kubectl get {ref.kind} {ref.name} -n {ref.namespace} -o yaml"
    )


def as_job(spec: JobSpec) -> JobSpec:
    """Return the spec of a deployment as that of a job that runs once."""
    return replace(spec, kind="job", replicas=1)


def with_changes(spec: JobSpec, changes: Mapping[str, str]) -> JobSpec:
    """Return the spec with these texts in place of its own (field -> text). Raises Invalid."""
    wrong, values = {}, {}
    for name, text in changes.items():
        try:
            values[name] = parse_field(name, text)
        except (ValueError, KeyError) as error:
            wrong[name] = str(error) if name in FIELD_NAMES else "there is no such field here"
    if wrong:
        raise Invalid(wrong)
    return replace(spec, **values)


def next_name(old: JobSpec, names: list[str]) -> str:
    """Return the next of a chosen name: bert-ft, bert-ft-2; "" where the command gives the name."""
    if old.sweep.name:  # the number at the end says which of the sweep it is
        base = re.sub(r"-again(-\d+)?$", "", old.name)[:50].rstrip("-") + "-again"
        numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, len(names) + 2))
        return next(name for name in numbered if name not in names)
    base = re.sub(r"-\d+$", "", old.name)
    if not base or base == suggest_name(old.command):
        return ""
    return suggest_name((base,), [*names, old.name])

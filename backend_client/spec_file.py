"""The spec of an old job, to use again: as the YAML of `submit -f`, as a job that runs once, with changes."""

from collections.abc import Mapping

from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec
from backend_client.models.fields import FIELD_NAMES, parse_field, spec_fields


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

"""The spec of an old job, to use again: as the YAML that `submit -f` takes, and as a job that runs once."""

from msgspec.structs import replace

from backend_client.models import JobSpec
from backend_client.models.fields import spec_fields


def spec_yaml(spec: JobSpec) -> str:
    """Return the explicit fields of a spec as YAML, in their order; one a line where the values allow it."""
    import yaml  # noqa: PLC0415  slow to import, and rarely needed

    return yaml.safe_dump(spec_fields(spec), sort_keys=False, allow_unicode=True, width=100)


def as_job(spec: JobSpec) -> JobSpec:
    """Return the spec of a deployment as that of a job that runs once."""
    return replace(spec, kind="job", replicas=1)

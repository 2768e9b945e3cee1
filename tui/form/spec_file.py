"""The spec file: a JobSpec as YAML, as `submit -f` takes it."""

from backend_client.models import JobSpec
from backend_client.models.fields import spec_fields


def spec_yaml(spec: JobSpec) -> str:
    """The fields that were given, in their order; one a line where their values allow it."""
    import yaml  # noqa: PLC0415  # slow to import, and rarely needed

    return yaml.safe_dump(spec_fields(spec), sort_keys=False, allow_unicode=True, width=100)

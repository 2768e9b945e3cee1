"""Datasets of a site: names in its settings for folders of claims, which jobs mount read-only as ~NAME."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.models.fields import parse_field
from backend_client.models.names import closest_match
from backend_client.models.spec import JobSpec, Volume


class Dataset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a dataset lies, and where jobs find it."""

    claim: Annotated[str, Meta(description="The claim (PVC), in the namespace of each job.")]
    path: Annotated[str, Meta(description="Where jobs mount it, unless they say ~NAME:/path.")]
    sub_path: Annotated[str, Meta(description="The folder of the claim that it is; empty is all of it.")] = ""


Datasets = Mapping[str, Dataset]
"""Name -> where it lies."""


def with_datasets(spec: JobSpec, known: Datasets) -> JobSpec:
    """Return a spec with the claim of each dataset in place of its name.

    So what is recorded of a job is what it had, also when the settings say another thing later. Raises
    Invalid, at the field `volumes`, for a name that is not known.
    """
    if not any(volume.dataset for volume in spec.volumes):
        return spec
    try:
        volumes = [_found(volume, known) if volume.dataset else volume for volume in spec.volumes]
        return replace(spec, volumes=parse_field("volumes", volumes))
    except ValueError as error:
        raise Invalid({"volumes": str(error)}) from None


def _found(volume: Volume, known: Datasets) -> Volume:
    """Return the claim that a dataset is. Raises ValueError, also where the settings are wrong."""
    dataset = known.get(volume.dataset)
    if dataset is None:
        raise ValueError(_unknown(volume.dataset, known))
    found = Volume(
        path=volume.path or dataset.path, claim=dataset.claim, sub_path=dataset.sub_path, read_only=True
    )
    try:
        parse_field("volumes", [found])
    except ValueError as error:
        raise ValueError(f"the settings of the dataset {volume.dataset} are wrong: {error}") from None
    return found


def _unknown(name: str, known: Datasets) -> str:
    """Say that there is no such dataset, and which there are."""
    if not known:
        return f"~{name}: there are no datasets here; [datasets.NAME] in the settings makes one"
    likely = closest_match(name, list(known))
    hint = f"did you mean ~{likely}? " if likely else ""
    return f"there is no dataset ~{name}; {hint}There are: {', '.join(f'~{each}' for each in sorted(known))}"

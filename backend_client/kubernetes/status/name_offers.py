"""Offers of names that can only be meant, and of what is to be left out (pure)."""

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from backend_client.kubernetes.manifests.storage import claims_of
from backend_client.kubernetes.status.offer_search import changed
from backend_client.models import JobSpec
from backend_client.why import Offer

_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_PULL_SECRETS = re.compile(r"image pull secrets \(([^)]+)\)")


def only_claim(spec: JobSpec, raw: str, names: Sequence[str]) -> Iterator[Offer]:
    """Offer the claim that can only be meant in place of one that is not there."""
    match = _CLAIM.search(raw)
    if not match or not (name := _certain(match[1], names)):
        return
    volumes = tuple(
        replace(volume, claim=name) if volume.claim == match[1] else volume for volume in spec.volumes
    )
    outputs = spec.outputs
    if match[1] in [claim for field, claim in claims_of(spec) if field == "outputs"]:
        outputs = name + outputs.removeprefix(match[1])
    if (volumes, outputs) != (spec.volumes, spec.outputs):
        yield Offer(
            id="claim",
            sentence=f"{_is_there('volume claim', name, names)}",
            changes=changed(spec, volumes=volumes, outputs=outputs),
        )


def only_secret(spec: JobSpec, raw: str, names: Sequence[str]) -> Iterator[Offer]:
    """Offer the pull secret that can only be meant in place of one that is not there."""
    match = _PULL_SECRETS.search(raw)
    missing = [name.strip() for name in match[1].split(",")] if match else []
    if (
        len(missing) != 1
        or not (name := _certain(missing[0], names))
        or missing[0] not in spec.image_pull_secrets
    ):
        return
    secrets = tuple(name if secret == missing[0] else secret for secret in spec.image_pull_secrets)
    yield Offer(
        id="pull-secret",
        sentence=_is_there("pull secret", name, names),
        changes=changed(spec, image_pull_secrets=secrets),
    )


def _certain(missing: str, names: Sequence[str]) -> str:
    """Return the name that can only be meant: the same in other case, or the only one; "" where none is."""
    same = [name for name in names if name.casefold() == missing.casefold()]
    found = same or list(names)
    return found[0] if len(found) == 1 and found[0] != missing else ""


def _is_there(kind: str, name: str, names: Sequence[str]) -> str:
    return f"there is the {kind} {name}" + (", and no other" if len(names) == 1 else "")


def without_host_paths(spec: JobSpec) -> Iterator[Offer]:
    """Offer to leave out the folders of the node."""
    kept = tuple(volume for volume in spec.volumes if not volume.host_path)
    if kept == spec.volumes:
        return
    folders = ", ".join(volume.host_path for volume in spec.volumes if volume.host_path)
    yield Offer(
        id="no-host-path",
        sentence=f"without {folders} of the node it is allowed here",
        changes=changed(spec, volumes=kept),
    )

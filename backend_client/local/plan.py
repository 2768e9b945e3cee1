"""Validate a JobSpec for this machine, and show what a create would do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from backend_client.errors import Invalid, Refused, sentence
from backend_client.git import git_facts
from backend_client.local.capabilities import FIELDS
from backend_client.local.slots import gpu_count
from backend_client.models import JobSpec
from backend_client.models.code import GIT_COMMIT, Code, is_packed
from backend_client.models.fields import explicit_fields
from backend_client.models.outputs import OUTPUT_DIR, own_folder
from backend_client.models.secret import Secret
from backend_client.protocol import Use

NOT_FROZEN = "it runs in the folder itself: what changes there while it waits or runs, changes for it"


def with_workdir(spec: JobSpec) -> JobSpec:
    """Return the spec with an absolute workdir, folder of code and of outputs, `~` expanded. Raises Invalid.

    A relative workdir is relative to the folder of its code, which is so to this process's own; one for
    outputs is relative to the workdir.
    """
    if spec.code and not is_packed(spec.code):
        code = os.path.normpath(_absolute(Path(spec.code).expanduser(), "code"))
        spec = msgspec.structs.replace(spec, code=code)
    folder = Path(spec.code).expanduser() / Path(spec.workdir).expanduser()
    workdir = os.path.normpath(_absolute(folder, "workdir"))
    outputs = spec.outputs and os.path.normpath(workdir / Path(spec.outputs).expanduser())
    return msgspec.structs.replace(spec, workdir=workdir, outputs=outputs)


def _absolute(folder: Path, field: str) -> Path:
    if folder.is_absolute():
        return folder
    try:
        return Path.cwd() / folder
    except FileNotFoundError:
        raise Invalid({field: "the folder that this was started in is deleted; name one"}) from None


def spec_errors(spec: JobSpec) -> dict[str, str]:
    """Return what no machine could do: field -> sentence. `spec` has its workdir."""
    errors = {}
    if not spec.command:
        errors["command"] = "say what to run: python train.py"
    if is_packed(spec.code):
        errors["code"] = "those bytes lie in a cluster, and a local job runs in a folder: name one"
    elif spec.code and not Path(spec.code).is_dir():
        errors["code"] = f"there is no folder {spec.code} on this machine"
    elif not Path(spec.workdir).is_dir():
        errors["workdir"] = f"there is no folder {spec.workdir} on this machine"
    if spec.outputs and (wrong := _outputs_error(spec.outputs)):
        errors["outputs"] = wrong
    return errors


def _outputs_error(outputs: str) -> str:
    """Return why no folder can be made in that for outputs; "" where one can."""
    if ":" in outputs:
        return "a local job mounts nothing; name a folder alone: ./results"
    there = next(parent for parent in (Path(outputs), *Path(outputs).parents) if parent.exists())
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"you may not write in {there}"


def refused_fields(spec: JobSpec, host: str, slots: int) -> dict[str, str]:
    """Return the fields that this machine refuses: field -> sentence."""
    refused = {name: FIELDS[name].why for name in explicit_fields(spec) if FIELDS[name].use == Use.REFUSED}
    if spec.gpus > slots:
        has = (
            gpu_count(slots)
            if slots
            else "no GPUs (local.gpus in the settings says how many, where no driver does)"
        )
        refused["gpus"] = f"asks for {gpu_count(spec.gpus)}; {host} has {has}"
    if slots and "CUDA_VISIBLE_DEVICES" in {*spec.env, *spec.secrets}:
        refused["env"] = "CUDA_VISIBLE_DEVICES is set from the job's slots; say how many with gpus"
    return refused


def check_spec(spec: JobSpec, host: str, slots: int) -> None:
    """Validate a spec. Raises Invalid or Refused, which name every wrong field."""
    if errors := spec_errors(spec):
        raise Invalid(errors)
    if errors := refused_fields(spec, host, slots):
        message = "; ".join(f"{name}: {why}" for name, why in errors.items())
        raise Refused(sentence(f"Local jobs do not take this: {message}"), fields=errors)


def added_environment(spec: JobSpec, commit: str = "") -> dict[str, str]:
    """Return the variables that are set beside those of the spec; `commit`: that its code stands at."""
    added = {"PYTHONUNBUFFERED": "1"} | ({GIT_COMMIT: commit} if commit else {})
    return {name: value for name, value in added.items() if name not in spec.env}


def code_facts(spec: JobSpec) -> Code | None:
    """Return what is recorded of the folder that a job runs in; None where it has no code of its own."""
    return git_facts(Path(spec.code)) if spec.code else None


def environment(spec: JobSpec, secrets: Mapping[str, Secret], commit: str = "") -> dict[str, str]:
    """Return the job's environment: ours less TRAINDECK_*, then the spec's.

    Raises Invalid for a missing secret.
    """
    missing = [name for name in spec.secrets if name not in secrets]
    if missing:
        raise Invalid({"secrets": f"{', '.join(missing)} has no value; set it in your environment"})
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRAINDECK_")}
    values = {name: secrets[name].reveal() for name in spec.secrets}
    return {**own, **added_environment(spec, commit), **spec.env, **values}


def plan_yaml(spec: JobSpec, host: str, folder: Path) -> str:
    """Return the plan as YAML. `spec` has its workdir and its name."""
    import yaml  # noqa: PLC0415  dear, and not needed to list jobs

    plan: dict[str, Any] = {"name": spec.name, "kind": spec.kind, "host": host, "command": list(spec.command)}
    outputs = {OUTPUT_DIR: f"{spec.outputs}/{own_folder(spec.name, '')}"} if spec.outputs else {}
    plan |= {"workdir": spec.workdir, "env": {**outputs, **added_environment(spec), **spec.env}}
    plan |= {name: getattr(spec, name) for name in ("gpus", "max_runtime", "labels", "annotations", "alerts")}
    plan |= {
        "sweep": msgspec.to_builtins(spec.sweep),
        "secrets": list(spec.secrets),
        "state": f"{folder}/jobs",
    }
    shown = {name: value for name, value in plan.items() if value}
    return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))

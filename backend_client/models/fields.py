"""The fields of JobSpec as people write them: text to value, value to text, and errors as sentences.

Form, flags and files all pass through `parse_field` and `parse_spec`, so they accept and refuse the same.
"""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from backend_client.errors import Invalid
from backend_client.models.names import closest_match
from backend_client.models.outputs import OUTPUTS, split_outputs
from backend_client.models.parsers import PARSERS
from backend_client.models.spec import JobSpec, Port, Sweep, Toleration, Volume

FIELD_NAMES: tuple[str, ...] = JobSpec.__struct_fields__
DEFAULTS = JobSpec()


def duration_text(seconds: int) -> str:
    """Return seconds as `max_runtime` is written: 9000 -> "2h30m"."""
    units = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    text = ""
    for size, unit in units:
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text


def parse_field(name: str, raw: object) -> Any:
    """Parse one field, from what a person wrote (text, or the value that YAML read).

    Empty text is the default. Raises ValueError: one sentence, without the field's name.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return getattr(DEFAULTS, name)
    return PARSERS[name](raw)


def cross_field_errors(spec: JobSpec) -> dict[str, str]:
    """Return the errors between fields: field -> sentence."""
    errors = _mounted_twice(spec)
    if spec.kind == "deployment":
        if spec.nodes > 1:
            errors["nodes"] = "a deployment has replicas; for ranks that work together choose kind job"
        if spec.retries:
            errors["retries"] = "a deployment is always started again; retries are for kind job"
        if spec.max_runtime:
            errors["max_runtime"] = "a deployment runs until you stop it; max_runtime is for kind job"
        if spec.sweep.turn:
            errors["sweep"] = "a deployment does not end, so the others would never have their turn"
    elif spec.replicas > 1:
        errors["replicas"] = "replicas are for kind deployment; for several machines set nodes"
    both = sorted(set(spec.env) & set(spec.secrets))
    if both:
        errors["secrets"] = f"{both[0]} stands in env too; keep one of them"
    if spec.gpu_type and not spec.gpus:
        errors["gpu_type"] = "set gpus too, or leave the type empty"
    if spec.ingress not in ("auto", "off") and not spec.ports:
        errors["ingress"] = "an ingress needs a port; add one to ports"
    return errors


def _mounted_twice(spec: JobSpec) -> dict[str, str]:
    """Return the error of outputs that are mounted where a volume is."""
    path = (split_outputs(spec.outputs)[1] or OUTPUTS) if spec.outputs else ""
    if not path or path.rstrip("/") not in {volume.path.rstrip("/") for volume in spec.volumes}:
        return {}
    return {"outputs": f"a volume is at {path} already; choose another path"}


def parse_spec(raw: Mapping[str, object]) -> JobSpec:
    """Parse a JobSpec, field by field and across fields. Raises Invalid, which names every wrong field."""
    spec, errors = _parse(raw)
    errors = cross_field_errors(spec) | errors
    if errors:
        raise Invalid(errors)
    return spec


def parse_fields(raw: Mapping[str, object]) -> JobSpec:
    """Parse a JobSpec as `parse_spec` does, but without `cross_field_errors`."""
    spec, errors = _parse(raw)
    if errors:
        raise Invalid(errors)
    return spec


def _parse(raw: Mapping[str, object]) -> tuple[JobSpec, dict[str, str]]:
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    unknown = [name for name in raw if name not in PARSERS]
    if len(unknown) > len(FIELD_NAMES):
        return JobSpec(), {str(unknown[0])[:80]: f"there is no such field, nor {len(unknown) - 1} others"}
    for name, value in raw.items():
        if name not in PARSERS:
            hint = closest_match(str(name), FIELD_NAMES)
            errors[str(name)[:80]] = (
                f"there is no such field; did you mean {hint}?" if hint else "there is no such field"
            )
            continue
        try:
            values[name] = parse_field(name, value)
        except ValueError as error:
            errors[name] = str(error)
    return JobSpec(**values), errors


def field_text(name: str, value: Any) -> str:
    """Return a value as one line of text that `parse_field` reads back as the same value."""
    if name == "max_runtime":
        return duration_text(value)
    if name == "pod":
        return msgspec.json.encode(value).decode() if value else ""
    if isinstance(value, dict):
        return shlex.join(f"{key}={item}" for key, item in value.items())
    if name == "sweep":
        return _sweep_text(value)
    if name == "ports":
        return " ".join(_port_text(port) for port in value)
    if name == "volumes":
        return " ".join(map(_volume_text, value))
    if name == "tolerations":
        return " ".join(map(_toleration_text, value))
    if isinstance(value, tuple):
        return shlex.join(value)
    return str(value)


def _sweep_text(sweep: Sweep) -> str:
    first = f"{sweep.name}/{sweep.turn}" if sweep.turn else sweep.name
    return shlex.join([*filter(None, [first]), *(f"{key}={value}" for key, value in sweep.values.items())])


def _port_text(port: Port) -> str:
    name = f"{port.name}=" if port.name else ""
    target = f":{port.target}" if port.target else ""
    protocol = f"/{port.protocol}" if port.protocol != "TCP" else ""
    return f"{name}{port.number}{target}{protocol}"


def _volume_text(volume: Volume) -> str:
    if volume.dataset:
        return f"~{volume.dataset}:{volume.path}".removesuffix(":")
    folder = f"/{volume.sub_path}" if volume.sub_path else ""
    return f"{volume.claim or volume.host_path}{folder}:{volume.path}{':ro' if volume.read_only else ''}"


def _toleration_text(toleration: Toleration) -> str:
    value = f"={toleration.value}" if toleration.value else ""
    return f"{toleration.key}{value}{f':{toleration.effect}' if toleration.effect else ''}"


def spec_fields(spec: JobSpec) -> dict[str, Any]:
    """Return a spec file's content: the fields that differ from their default, as plain YAML values."""
    values = msgspec.to_builtins(spec)
    plain = {name: values[name] for name in FIELD_NAMES if getattr(spec, name) != getattr(DEFAULTS, name)}
    if "max_runtime" in plain:
        plain["max_runtime"] = duration_text(spec.max_runtime)
    return plain


def explicit_fields(spec: JobSpec) -> list[str]:
    """Return the names of the fields that differ from their default, in their order."""
    return [name for name in FIELD_NAMES if getattr(spec, name) != getattr(DEFAULTS, name)]

"""The fields of JobSpec as people write them: text to value, value to text, and what is wrong, in words.

Form, flags and files all pass through `parse_field` and `parse_spec`, so they accept and refuse the same.
"""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from backend_client.errors import Invalid
from backend_client.models.names import closest_match
from backend_client.models.parsers import PARSERS
from backend_client.models.spec import JobSpec, Port

FIELD_NAMES: tuple[str, ...] = JobSpec.__struct_fields__
DEFAULTS = JobSpec()


def duration_text(seconds: int) -> str:
    """9000 -> "2h30m"; what `max_runtime` reads back as the same number."""
    units = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    words = ""
    for size, unit in units:
        count, seconds = divmod(seconds, size)
        words += f"{count}{unit}" if count else ""
    return words


def parse_field(name: str, raw: object) -> Any:
    """The value of one field, from what a person wrote (text, or what YAML made of it).

    Empty text is the default. Raises ValueError: one sentence, without the field's name.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return getattr(DEFAULTS, name)
    return PARSERS[name](raw)


def cross_field_errors(spec: JobSpec) -> dict[str, str]:
    """What is wrong between fields: field -> sentence."""
    wrong: dict[str, str] = {}
    if spec.kind == "deployment":
        if spec.nodes > 1:
            wrong["nodes"] = "a deployment has replicas; for ranks that work together choose kind job"
        if spec.retries:
            wrong["retries"] = "a deployment is always started again; retries are for kind job"
        if spec.max_runtime:
            wrong["max_runtime"] = "a deployment runs until you stop it; max_runtime is for kind job"
    elif spec.replicas > 1:
        wrong["replicas"] = "replicas are for kind deployment; for several machines set nodes"
    both = sorted(set(spec.env) & set(spec.secrets))
    if both:
        wrong["secrets"] = f"{both[0]} stands in env too; keep one of them"
    if spec.gpu_type and not spec.gpus:
        wrong["gpu_type"] = "set gpus too, or leave the type empty"
    if spec.ingress not in ("auto", "off") and not spec.ports:
        wrong["ingress"] = "an ingress needs a port; add one to ports"
    return wrong


def parse_spec(raw: Mapping[str, object]) -> JobSpec:
    """A JobSpec from what a person wrote, field by field. Raises Invalid, which names every wrong field."""
    spec, wrong = _parsed(raw)
    wrong = cross_field_errors(spec) | wrong
    if wrong:
        raise Invalid(wrong)
    return spec


def parse_fields(raw: Mapping[str, object]) -> JobSpec:
    """As `parse_spec`, each field by itself: `across` has to be asked too."""
    spec, wrong = _parsed(raw)
    if wrong:
        raise Invalid(wrong)
    return spec


def _parsed(raw: Mapping[str, object]) -> tuple[JobSpec, dict[str, str]]:
    wrong: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in PARSERS:
            hint = closest_match(str(name), FIELD_NAMES)
            wrong[str(name)] = (
                f"there is no such field; did you mean {hint}?" if hint else "there is no such field"
            )
            continue
        try:
            values[name] = parse_field(name, value)
        except ValueError as error:
            wrong[name] = str(error)
    return JobSpec(**values), wrong


def field_text(name: str, value: Any) -> str:
    """A value as one line of text that `parse_field` reads back as the same value."""
    if name == "max_runtime":
        return duration_text(value)
    if isinstance(value, dict):
        return shlex.join(f"{key}={item}" for key, item in value.items())
    if name == "ports":
        return " ".join(_port_text(port) for port in value)
    if name == "volumes":
        return " ".join(f"{v.claim or v.host_path}:{v.path}{':ro' if v.read_only else ''}" for v in value)
    if isinstance(value, tuple):
        return shlex.join(value)
    return str(value)


def _port_text(port: Port) -> str:
    name = f"{port.name}=" if port.name else ""
    target = f":{port.target}" if port.target else ""
    protocol = f"/{port.protocol}" if port.protocol != "TCP" else ""
    return f"{name}{port.number}{target}{protocol}"


def spec_fields(spec: JobSpec) -> dict[str, Any]:
    """A spec file's content: the fields that are not at their default, as plain YAML or JSON values."""
    values = msgspec.to_builtins(spec)
    plain = {name: values[name] for name in FIELD_NAMES if getattr(spec, name) != getattr(DEFAULTS, name)}
    if "max_runtime" in plain:
        plain["max_runtime"] = duration_text(spec.max_runtime)
    return plain


def explicit_fields(spec: JobSpec) -> list[str]:
    """The names of the fields that were given, in their order."""
    return [name for name in FIELD_NAMES if getattr(spec, name) != getattr(DEFAULTS, name)]

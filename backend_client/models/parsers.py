"""Parsers of the fields of JobSpec: what a person wrote -> the value.

Every parser raises ValueError with one sentence that does not repeat the field's name.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from backend_client.models.names import slugify
from backend_client.models.spec import Port, Volume

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|[MGTPE]|[KMGTPE]i|e\d+)?")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?")
_PORT = re.compile(r"(?:(?P<name>[^=:/]+)=)?(?P<number>\d+)(?::(?P<target>\d+))?(?:/(?P<protocol>\w+))?")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_RESERVED = "traindeck.dev/"


def _text(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"write text here, not {_shape(raw)}")
    text = str(raw).strip()
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        raise ValueError("has a control character in it; take it out")
    return text


def _shape(raw: object) -> str:
    if isinstance(raw, Mapping):
        return "a mapping"
    if isinstance(raw, list | tuple):
        return "a list"
    return {bool: "yes or no", type(None): "nothing"}.get(type(raw), f"{raw!r:.40}")


def _label(raw: object, longest: int = 63) -> str:
    text = _text(raw)
    if text and not _LABEL.fullmatch(text):
        slug = slugify(text)
        hint = f": {slug}" if slug else ""
        raise ValueError(f"use small letters, digits and '-', with a letter or digit at both ends{hint}")
    if len(text) > longest:
        raise ValueError(f"at most {longest} characters; this has {len(text)}")
    return text


def _subdomain(raw: object) -> str:
    text = _text(raw)
    if text and (len(text) > 253 or not _SUBDOMAIN.fullmatch(text)):
        raise ValueError("use small letters, digits, '-' and '.', at most 253 characters")
    return text


def _kind(raw: object) -> str:
    text = _text(raw)
    if text not in ("job", "deployment"):
        raise ValueError("job (runs until it finishes) or deployment (runs until you stop it)")
    return text


def _image(raw: object) -> str:
    text = _text(raw)
    if text and not _IMAGE.fullmatch(text):
        raise ValueError("an image is written REGISTRY/NAME:TAG, without spaces: pytorch/pytorch:2.9.0")
    return text


def _strings(raw: object) -> list[str]:
    """Return a list of strings; one string is split as a shell does."""
    if isinstance(raw, str):
        try:
            return shlex.split(raw)
        except ValueError as error:
            raise ValueError(
                "a quotation mark is not closed" if "quotation" in str(error) else str(error)
            ) from None
    if isinstance(raw, list | tuple):
        if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in raw):
            raise ValueError("every item of the list must be text")
        return [str(item) for item in raw]
    raise ValueError(f"write a list or one line of text, not {_shape(raw)}")


def _command(raw: object) -> tuple[str, ...]:
    argv = tuple(_strings(raw))
    if any("\0" in word for word in argv):
        raise ValueError("has a NUL character in it; take it out")
    if argv and not argv[0]:
        raise ValueError("the first word, the program, is empty")
    return argv


def _pairs(raw: object, what: str) -> dict[str, str]:
    """Return {KEY: value} of a mapping, a list of "KEY=VALUE", or one line of them."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError(f"{key}: write text here (quote it), not {_shape(value)}")
        return {str(key): str(value) for key, value in raw.items()}
    pairs = {}
    for word in _strings(raw):
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word}: write {what}=VALUE")
        pairs[key] = value
    return pairs


def _env_name(name: str) -> str:
    if not _ENV_NAME.fullmatch(name):
        raise ValueError(f"{name or 'an empty name'}: a variable is letters, digits and '_', no digit first")
    return name


def _env(raw: object) -> dict[str, str]:
    pairs = _pairs(raw, "NAME")
    for name, value in pairs.items():
        _env_name(name)
        if "\0" in value:
            raise ValueError(f"{name}: has a NUL character in it; take it out")
    return pairs


def _secrets(raw: object) -> tuple[str, ...]:
    names = []
    for word in _strings(raw):
        if "=" in word:
            raise ValueError(
                f"{word.partition('=')[0]}: give the name alone; the value is read from your environment"
            )
        names.append(_env_name(word))
    return tuple(dict.fromkeys(names))


def _label_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if key.startswith(_RESERVED):
        raise ValueError(f"{key}: keys under {_RESERVED} are traindeck's own")
    if (
        not name
        or len(name) > 63
        or not _LABEL_VALUE.fullmatch(name)
        or (slash and not _SUBDOMAIN.fullmatch(prefix))
    ):
        raise ValueError(
            f"{key}: a key is [prefix/]name, of letters, digits, '-', '_' and '.', at most 63 characters"
        )


def _labels(raw: object) -> dict[str, str]:
    pairs = _pairs(raw, "KEY")
    for key, value in pairs.items():
        _label_key(key)
        if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            raise ValueError(f"{key}: a value is letters, digits, '-', '_' and '.', at most 63 characters")
    return pairs


def _annotations(raw: object) -> dict[str, str]:
    pairs = _pairs(raw, "KEY")
    for key in pairs:
        _label_key(key)
    return pairs


def _whole(lowest: int, unit: str) -> Callable[[object], int]:
    def parse(raw: object) -> int:
        text = _text(raw)
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < lowest:
            raise ValueError(f"write a whole number of {unit}, {lowest} or more")
        return int(text)

    return parse


def _quantity(example: str) -> Callable[[object], str]:
    def parse(raw: object) -> str:
        text = _text(raw)
        if not text:
            return ""
        match = _QUANTITY.fullmatch(text)
        if not match:
            fixed = re.sub(r"(?i)^([\d.]+)\s*([kmgtpe])i?b?$", lambda m: f"{m[1]}{m[2].upper()}i", text)
            hint = fixed if _QUANTITY.fullmatch(fixed) else example
            raise ValueError(f"{text} is not a Kubernetes quantity; write it like {hint}")
        if not float(match[1]):
            raise ValueError("must be more than 0")
        return text

    return parse


def _duration(raw: object) -> int:
    text = _text(raw).replace(" ", "")
    if not text:
        return 0
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError("write seconds, or a time like 2h30m, 45m, 1d")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _items(raw: object) -> list[object]:
    if isinstance(raw, list | tuple):
        return list(raw)
    if isinstance(raw, str):
        return [word for word in re.split(r"[\s,]+", raw) if word]
    return [raw]


def _named_parts(raw: object, kind: type[Port | Volume], what: str) -> dict[str, Any] | None:
    """Return the named parts of a port or volume; None where it was written as one word."""
    if isinstance(raw, kind):
        raw = msgspec.to_builtins(raw)
    if not isinstance(raw, Mapping):
        return None
    known = kind.__struct_fields__
    unknown = next((key for key in raw if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{unknown}: {what} has {', '.join(known)}")
    return dict(raw)


def _port_number(number: object, what: str = "a port") -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise ValueError(f"{number}: {what} is a number from 1 to 65535")
    return number


def _port(raw: object) -> Port:
    parts = _named_parts(raw, Port, "a port")
    if parts is None:
        match = _PORT.fullmatch(str(raw))
        if isinstance(raw, bool) or not match:
            raise ValueError(f"{raw}: write 8080, or NAME=NUMBER:TARGET/PROTOCOL: http=80:8080/TCP")
        parts = {k: int(v) if k in ("number", "target") else v for k, v in match.groupdict().items() if v}
    protocol = str(parts.get("protocol", "TCP")).upper()
    if protocol not in ("TCP", "UDP"):
        raise ValueError(f"{protocol}: the protocol is TCP or UDP")
    name = _label(parts.get("name", ""), 15)
    if name and not re.search("[a-z]", name):
        raise ValueError(f"{name}: a port's name needs a letter")
    target = parts.get("target", 0)
    return Port(
        number=_port_number(parts.get("number")),
        name=name,
        target=_port_number(target, "a target port") if target else 0,
        protocol=protocol,  # type: ignore[arg-type]  # checked above
    )


def _ports(raw: object) -> tuple[Port, ...]:
    ports = tuple(_port(item) for item in _items(raw))
    for what, keys in (
        ("number", [(port.number, port.protocol) for port in ports]),
        ("name", [port.name for port in ports if port.name]),
    ):
        if len(set(keys)) < len(keys):
            raise ValueError(f"the same {what} stands twice")
    return ports


def _volume(raw: object) -> Volume:
    parts = _named_parts(raw, Volume, "a volume")
    if parts is not None:
        claim, host_path = _subdomain(parts.get("claim", "")), _text(parts.get("host_path", ""))
        path, read_only = _text(parts.get("path", "")), parts.get("read_only", False)
    else:
        source, path, *rest = [*_text(raw).split(":"), ""][:4]
        if rest not in ([], [""], ["ro"], ["rw"], ["ro", ""], ["rw", ""]) or not source:
            raise ValueError(f"{raw}: write CLAIM:/path, or CLAIM:/path:ro")
        claim, host_path = ("", source) if source.startswith("/") else (_subdomain(source), "")
        read_only = "ro" in rest
    if bool(claim) == bool(host_path):
        raise ValueError("a volume has a claim or a host_path, one of both")
    if not path.startswith("/"):
        raise ValueError(f"{claim or host_path}: the path must begin with /")
    if not isinstance(read_only, bool):
        raise ValueError("read_only is true or false")
    return Volume(path=path, claim=claim, host_path=host_path, read_only=read_only)


def _volumes(raw: object) -> tuple[Volume, ...]:
    volumes = tuple(_volume(item) for item in _items(raw))
    if len({volume.path for volume in volumes}) < len(volumes):
        raise ValueError("two volumes have the same path")
    return volumes


def _pull_secrets(raw: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for item in _items(raw) if (name := _subdomain(item))))


def _ingress(raw: object) -> str:
    if raw is False:  # YAML reads a bare `off` as false
        return "off"
    text = _text(raw) or "auto"
    if text not in ("auto", "off") and ("." not in text or not _SUBDOMAIN.fullmatch(text)):
        raise ValueError("auto, off, or a host name like llama.gpu.example.org")
    return text


PARSERS: dict[str, Callable[[object], object]] = {
    "name": _label,
    "kind": _kind,
    "image": _image,
    "command": _command,
    "workdir": _text,
    "env": _env,
    "secrets": _secrets,
    "gpus": _whole(0, "GPUs"),
    "gpu_type": _text,
    "cpu": _quantity("500m or 8"),
    "memory": _quantity("64Gi"),
    "shm_size": _quantity("8Gi"),
    "nodes": _whole(1, "nodes"),
    "replicas": _whole(1, "replicas"),
    "ports": _ports,
    "ingress": _ingress,
    "retries": _whole(0, "retries"),
    "max_runtime": _duration,
    "priority": _subdomain,
    "queue": _subdomain,
    "labels": _labels,
    "annotations": _annotations,
    "volumes": _volumes,
    "image_pull_secrets": _pull_secrets,
    "namespace": _label,
    "cluster": _subdomain,
}
"""Field -> its parser: text, or the value that YAML read, to the value."""

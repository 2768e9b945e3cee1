"""Parsers of the fields of JobSpec: what a person wrote -> the value.

Every parser raises ValueError with one sentence that does not repeat the field's name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from typing import Any, TypeVar

import msgspec

from backend_client.models import shell_words
from backend_client.models.alert_thresholds import OFF, ON, parse_threshold, threshold_of
from backend_client.models.names import slugify
from backend_client.models.outputs import split_claim, split_outputs
from backend_client.models.pod_patch import parse_pod
from backend_client.models.quantities import parse_cpu, parse_duration, parse_memory
from backend_client.models.spec import Port, Sweep, Toleration, Volume

_T = TypeVar("_T")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
SWEEP_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(
    r"(?:(?P<name>[^=:/]+)=)?(?P<number>\d{1,6})(?::(?P<target>\d{1,6}))?(?:/(?P<protocol>\w{1,9}))?",
    re.ASCII,
)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
DEV_LABEL = "traindeck.dev/dev"
"""Label of the jobs that wait for a shell: "true". The one of traindeck's own keys that a spec may have."""
_RESERVED = "traindeck.dev/"
LONGEST_WORD = 128 * 1024 - 1
"""Bytes of one word of a command, or of one variable: what Linux passes to a program (execve(2))."""
LONGEST_LINE = 128 * 1024
"""Characters of a text that is split as a shell does."""
MOST_BYTES = 512 * 1024
"""Bytes of a field in all: a cluster keeps 1.5 MiB of an object, a server takes 1 MiB."""
MOST_ITEMS = 1000
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
"""What a taint does."""
MOST_SWEPT = 500
"""Jobs of one sweep."""
MOST_GPUS, MOST_NODES, MOST_RETRIES = 1024, 10_000, 1000


def _text(raw: object, longest: int = LONGEST_LINE) -> str:
    text = _scalar(raw).strip()
    if len(text) > longest:
        raise ValueError(f"at most {longest} characters; this has {len(text)}")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        raise ValueError("has a control character in it; take it out")
    return text


def _scalar(raw: object) -> str:
    """Return a text, or a number as text: what YAML made of a word without quotes."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"write text here, not {_shape(raw)}")
    if isinstance(raw, int) and abs(raw) >= 10**18:  # Python refuses, or takes long, to write it
        raise ValueError("no such number: it has more than 18 digits")
    return str(raw)


def _shape(raw: object) -> str:
    if isinstance(raw, bool):
        return "yes or no; put it in quotes"
    if raw is None:
        return "nothing"
    if isinstance(raw, date | time):
        return "a date or time; put it in quotes"
    if isinstance(raw, int | float):
        return "a number"
    return "a mapping" if isinstance(raw, Mapping) else "a list"


def _label(raw: object, longest: int = 63) -> str:
    text = _text(raw)
    if len(text) <= longest and text and not _LABEL.fullmatch(text):
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
    text = _text(raw, 512)
    if text and not _IMAGE.fullmatch(text):
        raise ValueError("an image is written REGISTRY/NAME:TAG, without spaces: pytorch/pytorch:2.9.0")
    return text


def _strings(raw: object) -> list[str]:
    """Return a list of strings; one string is split as a shell does."""
    if isinstance(raw, str):
        if len(raw) > LONGEST_LINE:
            raise ValueError(f"at most {LONGEST_LINE} characters in one line; put more into a file")
        return list(shell_words.split(raw).words)
    if isinstance(raw, list | tuple):
        wrong = [item for item in raw if isinstance(item, bool) or not isinstance(item, str | int | float)]
        if wrong:
            raise ValueError(f"every item of the list must be text, not {_shape(wrong[0])}")
        return [_scalar(item) for item in raw]
    raise ValueError(f"write a list or one line of text, not {_shape(raw)}")


def _command(raw: object) -> tuple[str, ...]:
    argv = tuple(_strings(raw))
    if any("\0" in word for word in argv):
        raise ValueError("has a NUL character in it; take it out")
    if argv and not argv[0]:
        raise ValueError("the first word, the program, is empty")
    _check_size(argv)
    return argv


def _check_size(words: Iterable[str]) -> None:
    """Refuse what no program can be given, and no cluster keeps."""
    sizes = [len(word.encode(errors="replace")) for word in words]
    if max(sizes, default=0) > LONGEST_WORD:
        raise ValueError(f"a word has {max(sizes)} bytes; a program is given {LONGEST_WORD} at most")
    if sum(sizes) > MOST_BYTES:
        raise ValueError(f"{sum(sizes)} bytes in all; at most {MOST_BYTES}. Put more into a file")


def _pairs(raw: object, what: str) -> dict[str, str]:
    """Return {KEY: value} of a mapping, a list of "KEY=VALUE", or one line of them."""
    if isinstance(raw, Mapping):
        return {str(key)[:LONGEST_LINE]: _value(key, value) for key, value in raw.items()}
    pairs = {}
    for word in _strings(raw):
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word}: write {what}=VALUE")
        pairs[key] = value
    return pairs


def _value(key: object, value: object) -> str:
    try:
        return _scalar(value)
    except ValueError as error:
        hint = '; write "" for an empty one' if value is None else ""
        raise ValueError(f"{str(key)[:80]}: {error}{hint}") from None


def _env_name(name: str) -> str:
    if len(name) > 253 or not _ENV_NAME.fullmatch(name):
        raise ValueError(
            f"{name[:80] or 'an empty name'}: a variable is letters, digits and '_', no digit first"
        )
    return name


def _env(raw: object) -> dict[str, str]:
    pairs = _pairs(raw, "NAME")
    for name, value in pairs.items():
        _env_name(name)
        if "\0" in value:
            raise ValueError(f"{name}: has a NUL character in it; take it out")
    _check_size(f"{name}={value}" for name, value in pairs.items())
    return pairs


def _secrets(raw: object) -> tuple[str, ...]:
    names = []
    for word in _strings(raw):
        if "=" in word:
            raise ValueError(
                f"{word.partition('=')[0]}: give the name alone; the value is read from your environment"
            )
        names.append(_env_name(word))
    return _few(tuple(dict.fromkeys(names)))


def _few(items: tuple[_T, ...]) -> tuple[_T, ...]:
    if len(items) > MOST_ITEMS:
        raise ValueError(f"at most {MOST_ITEMS}; this has {len(items)}")
    return items


def _label_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if key.startswith(_RESERVED) and key != DEV_LABEL:
        raise ValueError(f"{key}: keys under {_RESERVED} are traindeck's own")
    if (
        not name
        or len(name) > 63
        or not _LABEL_VALUE.fullmatch(name)
        or (slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)))
    ):
        raise ValueError(
            f"{key[:80]}: a key is [prefix/]name, of letters, digits, '-', '_' and '.', at most 63 characters"
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
    if (
        size := sum(len(f"{key}{value}".encode(errors="replace")) for key, value in pairs.items())
    ) > 256 * 1024:
        raise ValueError(f"{size} bytes in all; Kubernetes takes 256 KiB")
    return pairs


def _alerts(raw: object) -> dict[str, str]:
    """Return rule -> "on", "off" or a threshold; YAML has made yes and no of on and off."""
    if isinstance(raw, bool | int | float):
        raise ValueError("name each rule: gpu-idle=1h finished=on silent=off")
    if isinstance(raw, Mapping):
        words = {True: ON, False: OFF}
        raw = {key: words[value] if isinstance(value, bool) else value for key, value in raw.items()}
    elif bare := next((word for word in _strings(raw) if "=" not in word), ""):
        raise ValueError(f"{bare}: write {bare}={threshold_of(bare).example}, or {bare}={OFF}")
    pairs = {key: value.strip() for key, value in _pairs(raw, "RULE").items()}
    for name, text in pairs.items():
        parse_threshold(name, text)
    return pairs


def _whole(lowest: int, highest: int, unit: str) -> Callable[[object], int]:
    def parse(raw: object) -> int:
        text = _text(raw)
        if not re.fullmatch(r"[0-9]+", text) or (len(text) <= 18 and int(text) < lowest):
            raise ValueError(f"write a whole number of {unit}, {lowest} or more")
        if len(text) > 18 or int(text) > highest:
            raise ValueError(f"at most {highest} {unit}")
        return int(text)

    return parse


def _amount(parse_text: Callable[[str], str]) -> Callable[[object], str]:
    def parse(raw: object) -> str:
        text = _text(raw)
        return parse_text(text) if text else ""

    return parse


def _duration(raw: object) -> int:
    text = _text(raw)
    return parse_duration(text) if text else 0


def _items(raw: object) -> list[object]:
    if isinstance(raw, list | tuple):
        return list(raw)
    if isinstance(raw, str):
        return [word for word in re.split(r"[\s,]+", raw) if word]
    return [raw]


def _named_parts(raw: object, kind: type[Port | Toleration | Volume], what: str) -> dict[str, Any] | None:
    """Return the named parts of a port, volume or toleration; None where it was written as one word."""
    if isinstance(raw, kind):
        raw = msgspec.to_builtins(raw)
    if not isinstance(raw, Mapping):
        return None
    known = kind.__struct_fields__
    unknown = next((key for key in raw if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{str(unknown)[:80]}: {what} has {', '.join(known)}")
    return dict(raw)


def _port_number(number: object, what: str = "a port") -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise ValueError(f"{what} is a number from 1 to 65535")
    return number


def _port(raw: object) -> Port:
    parts = _named_parts(raw, Port, "a port")
    if parts is None:
        text = _text(raw)
        match = _PORT.fullmatch(text)
        if not match:
            raise ValueError(f"{text[:80]}: write 8080, or NAME=NUMBER:TARGET/PROTOCOL: http=80:8080/TCP")
        parts = {k: int(v) if k in ("number", "target") else v for k, v in match.groupdict().items() if v}
    protocol = _text(parts.get("protocol", "TCP"), 9).upper()
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
    ports = _few(tuple(_port(item) for item in _items(raw)))
    for what, keys in (
        ("number", [(port.number, port.protocol) for port in ports]),
        ("name", [port.name for port in ports if port.name]),
    ):
        if len(set(keys)) < len(keys):
            raise ValueError(f"the same {what} stands twice")
    return ports


def _volume(raw: object) -> Volume:
    parts = _named_parts(raw, Volume, "a volume")
    if parts is None:
        parts = _volume_parts(_text(raw, 8192))
    claim, dataset = _subdomain(parts.get("claim", "")), _text(parts.get("dataset", ""))
    host_path, path = _text(parts.get("host_path", "")), _text(parts.get("path", ""))
    sub_path = _inside(_text(parts.get("sub_path", "")))
    read_only = parts.get("read_only", bool(dataset))
    if [bool(claim), bool(host_path), bool(dataset)].count(True) != 1:
        raise ValueError("a volume has a claim, a host_path or a dataset, one of them")
    if sub_path and not claim:
        raise ValueError(f"{sub_path}: a sub_path is a folder of a claim")
    if dataset and not _DATASET.fullmatch(dataset):
        raise ValueError(f"~{dataset[:80]}: a dataset is a name of the settings: ~NAME, or ~NAME:/path")
    if not path.startswith("/") and (path or not dataset):
        raise ValueError(f"{claim or host_path or dataset}: the path must begin with /")
    if not isinstance(read_only, bool):
        raise ValueError("read_only is true or false")
    if dataset and not read_only:
        raise ValueError(f"~{dataset}: a dataset is read-only")
    return Volume(
        path=path, claim=claim, sub_path=sub_path, host_path=host_path, dataset=dataset, read_only=read_only
    )


def _volume_parts(text: str) -> dict[str, Any]:
    """Return the parts of SOURCE:/path[:ro]; the path of a dataset may be left out."""
    source, path, *rest = [*text.split(":"), ""][:4]
    if rest not in ([], [""], ["ro"], ["rw"], ["ro", ""], ["rw", ""]) or not source:
        raise ValueError(f"{text[:80]}: write CLAIM:/path, or CLAIM:/path:ro")
    access = {"read_only": "ro" in rest} if {"ro", "rw"} & {*rest} else {}
    if source.startswith("~"):
        return {"dataset": source[1:] or "?", "path": path, **access}
    if source.startswith("/"):
        if not path:
            raise ValueError(f"{text[:80]}: write {text[:80]}:/path; a dataset in quotes: '~NAME'")
        return {"host_path": source, "path": path, **access}
    claim, sub_path = split_claim(source)
    return {"claim": claim, "sub_path": sub_path, "path": path, **access}


def _inside(folder: str) -> str:
    """Return a folder within a claim, which no step up leads out of."""
    if folder.startswith("/") or ".." in folder.split("/") or ":" in folder:
        raise ValueError(f"{folder[:80]}: a folder of a claim, without .. and : in it, and no / before it")
    return folder.strip("/")


def _volumes(raw: object) -> tuple[Volume, ...]:
    volumes = _few(tuple(_volume(item) for item in _items(raw)))
    paths = [volume.path for volume in volumes if volume.path]
    if len({*paths}) < len(paths):
        raise ValueError("two volumes have the same path")
    return volumes


def _outputs(raw: object) -> str:
    """Read CLAIM[/FOLDER][:/path] or a folder: which of them, the context decides."""
    text = _text(raw, 4096)
    source, path = split_outputs(text)
    if text and not source:
        raise ValueError("begin with a claim: CLAIM, or CLAIM:/path")
    if path and (not path.startswith("/") or ":" in path or ".." in path.split("/")):
        raise ValueError(f"{text[:80]}: write CLAIM, or CLAIM:/path")
    return text.removesuffix(":")


def _node_names(raw: object) -> tuple[str, ...]:
    return _few(tuple(dict.fromkeys(name for item in _items(raw) if (name := _subdomain(item)))))


def _toleration(raw: object) -> Toleration:
    parts = _named_parts(raw, Toleration, "a toleration")
    if parts is None:
        rest, _, effect = _text(raw, 512).partition(":")
        key, _, value = rest.partition("=")
        parts = {"key": key, "value": value, "effect": effect}
    key, value, effect = (_text(parts.get(name, "")) for name in ("key", "value", "effect"))
    _label_key(key)
    if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
        raise ValueError(f"{key}: a value is letters, digits, '-', '_' and '.', at most 63 characters")
    if effect not in ("", *EFFECTS):
        raise ValueError(f"{effect[:80]}: the effect of a taint is {', '.join(EFFECTS)}, or empty for all")
    return Toleration(key, value, effect)


def _tolerations(raw: object) -> tuple[Toleration, ...]:
    return _few(tuple(dict.fromkeys(map(_toleration, _items(raw)))))


def _pull_secrets(raw: object) -> tuple[str, ...]:
    return _few(tuple(dict.fromkeys(name for item in _items(raw) if (name := _subdomain(item)))))


def _ingress(raw: object) -> str:
    if raw is False:  # YAML reads a bare `off` as false
        return "off"
    text = _text(raw) or "auto"
    if text not in ("auto", "off") and ("." not in text or not _SUBDOMAIN.fullmatch(text)):
        raise ValueError("auto, off, or a host name like llama.gpu.example.org")
    return text


def _folder(raw: object) -> str:
    return _text(raw, 4096)


def _gpu_type(raw: object) -> str:
    return _text(raw, 253)


def _sweep(raw: object) -> Sweep:
    """Read NAME[/TURN] KEY=VALUE..., or a mapping with name, values and turn."""
    if isinstance(raw, Sweep):
        raw = msgspec.to_builtins(raw)
    if isinstance(raw, Mapping):
        if unknown := next((str(key) for key in raw if key not in Sweep.__struct_fields__), ""):
            raise ValueError(f"{unknown[:80]}: there are name, values and turn")
        name, turn, pairs = raw.get("name", ""), raw.get("turn", ""), raw.get("values", {})
    else:
        words = _strings(raw) or [""]
        name, _, turn = words[0].partition("/")
        pairs = words[1:]
    values = {sweep_key(key): sweep_value(value) for key, value in _pairs(pairs, "KEY").items()}
    sweep = Sweep(_label(name), values, _label(turn))
    _few(tuple(values))
    if sweep != Sweep() and not sweep.name:
        raise ValueError("begin with the name of the sweep")
    return sweep


def sweep_key(key: str) -> str:
    """Return a key of a sweep. Raises ValueError."""
    if not SWEEP_KEY.fullmatch(key) or len(key) > 40:
        raise ValueError(
            f"{key[:80] or 'an empty name'}: a key is letters, digits, '_' and '-', no digit first"
        )
    return key


def sweep_value(raw: object) -> str:
    """Return what stands for a {KEY} as text. Raises ValueError."""
    return _text(raw, 1000)


PARSERS: dict[str, Callable[[object], object]] = {
    "name": _label,
    "kind": _kind,
    "image": _image,
    "command": _command,
    "workdir": _folder,
    "code": _folder,
    "env": _env,
    "secrets": _secrets,
    "gpus": _whole(0, MOST_GPUS, "GPUs"),
    "gpu_type": _gpu_type,
    "cpu": _amount(parse_cpu),
    "memory": _amount(parse_memory),
    "shm_size": _amount(parse_memory),
    "nodes": _whole(1, MOST_NODES, "nodes"),
    "replicas": _whole(1, MOST_NODES, "replicas"),
    "ports": _ports,
    "ingress": _ingress,
    "retries": _whole(0, MOST_RETRIES, "retries"),
    "max_runtime": _duration,
    "priority": _subdomain,
    "queue": _subdomain,
    "queue_priority": _subdomain,
    "node_selector": _labels,
    "node_names": _node_names,
    "tolerations": _tolerations,
    "pod": parse_pod,
    "labels": _labels,
    "annotations": _annotations,
    "alerts": _alerts,
    "volumes": _volumes,
    "outputs": _outputs,
    "image_pull_secrets": _pull_secrets,
    "sweep": _sweep,
    "namespace": _label,
    "cluster": _subdomain,
}
"""Field -> its parser: text, or the value that YAML read, to the value."""

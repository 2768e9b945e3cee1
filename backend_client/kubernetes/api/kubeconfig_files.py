"""The files of a kubeconfig: which ones, what each must be, and all of them as one. Judge: kubectl.

A file that cannot be used is an error and never passed over: what comes next would be another cluster, or
this machine. kubectl passes over one that is missing, and so does this, as long as another one is there.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from backend_client.errors import Refused, sentence
from backend_client.yaml_reader import YamlFault, read_first

_MEND = "Mend it, or name a context that needs no kubeconfig: `traindeck contexts` lists them."
_Extensions = list[dict[str, Any]] | None
_KINDS = {"array": "a list", "object": "a mapping", "str": "text", "bool": "true or false", "null": "nothing"}
_TYPE_ERROR = re.compile(r"Expected `(\w+)[^`]*`, got `(\w+)`(?: - at `(?:\$\.)?(.*)`)?$")


class Entry(Struct, frozen=True):
    """One named entry of a kubeconfig, and the folder that its relative paths start from."""

    value: Mapping[str, Any]
    folder: Path


class Merged(Struct, frozen=True):
    """All kubeconfig files as one: the first file to name an entry wins."""

    clusters: dict[str, Entry]
    contexts: dict[str, Entry]
    users: dict[str, Entry]
    current: str


# What client-go takes (tools/clientcmd/api/v1/types.go), for the types of its fields alone.


class _Cluster(Struct, rename="kebab"):
    server: str | None = None
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool | None = None
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    proxy_url: str | None = None
    disable_compression: bool | None = None
    extensions: _Extensions = None


class _Variable(Struct):
    name: str
    value: str | None = None


class _Exec(Struct, rename="camel"):
    command: str | None = None
    args: list[str] | None = None
    env: list[_Variable] | None = None
    api_version: str | None = None
    install_hint: str | None = None
    provide_cluster_info: bool | None = None
    interactive_mode: str | None = None


class _User(Struct, rename="kebab"):
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    token: str | None = None
    token_file: str | None = msgspec.field(name="tokenFile", default=None)
    as_: str | None = msgspec.field(name="as", default=None)
    as_uid: str | None = None
    as_groups: list[str] | None = None
    as_user_extra: dict[str, list[str]] | None = None
    username: str | None = None
    password: str | None = None
    auth_provider: dict[str, Any] | None = None
    exec: _Exec | None = None


class _Context(Struct):
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None


class _NamedCluster(Struct):
    name: str | None = None
    cluster: _Cluster | None = None


class _NamedUser(Struct):
    name: str | None = None
    user: _User | None = None


class _NamedContext(Struct):
    name: str | None = None
    context: _Context | None = None


class _File(Struct, rename="kebab"):
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str | None = None
    kind: str | None = None
    api_version: str | None = msgspec.field(name="apiVersion", default=None)


def named_files() -> list[Path]:
    """Return the files that KUBECONFIG names, none where it is not set."""
    words = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    return [Path(os.path.expanduser(word)) for word in words if word]  # noqa: PTH111  Path's raises without a home


def means_one() -> bool:
    """Return whether KUBECONFIG names a file that must have contexts; /dev/null is how one says "none"."""
    return any(path != Path(os.devnull) for path in named_files())


def default_file() -> Path:
    """Return where kubectl looks when KUBECONFIG names no file."""
    return Path(os.path.expanduser("~/.kube/config"))  # noqa: PTH111  as above


def named_text() -> str:
    """Return what KUBECONFIG names, for a sentence."""
    return ", ".join(map(str, named_files()))


def merge(paths: Sequence[Path]) -> Merged:
    """Read files and merge them. Raises Refused for one that is no kubeconfig, whichever it is."""
    return _merge((_read(path), path.absolute().parent) for path in paths)


def merge_text(text: str, folder: Path) -> Merged:
    """Return a kubeconfig that is no file here; its relative paths start from `folder`. Raises Refused."""
    try:
        return _merge([(_parse(text.encode()), folder)])
    except ValueError as error:
        raise Refused(sentence(f"The kubeconfig {error}")) from None


def _merge(contents: Iterable[tuple[Mapping[str, Any], Path]]) -> Merged:
    merged = Merged({}, {}, {}, "")
    current = ""
    for content, folder in contents:
        current = current or content.get("current-context") or ""
        for section, singular in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
            entries: dict[str, Entry] = getattr(merged, section)
            for item in content.get(section) or ():
                if item.get("name"):
                    entry = Entry(item.get(singular) or {}, folder)
                    entries.setdefault(item["name"], entry)
    return msgspec.structs.replace(merged, current=current)


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parse_once(_drained(path) if path.is_fifo() else path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Refused(
            f"The kubeconfig {path} cannot be read: {(error.strerror or '').lower()}.", _MEND
        ) from None
    except ValueError as error:
        raise Refused(sentence(f"The kubeconfig {path} {error}"), _MEND) from None


@lru_cache(8)
def _drained(path: Path) -> bytes:
    """Return what a pipe gave, KUBECONFIG=<(...): it can be read once, and is asked for more than once."""
    return path.read_bytes()


@lru_cache(8)
def _parse_once(content: bytes) -> dict[str, Any]:
    """Parse a file once for the list of contexts and the opening of one. Callers do not change the result."""
    return _parse(content)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = read_first(content)
    except YamlFault as fault:
        words = str(fault)
        raise ValueError(f"is no YAML in {words}" if words.startswith("line") else words) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "one value"
        kind = "a line of text" if isinstance(document, str) else kind
        raise ValueError(f"is no kubeconfig: it holds {kind}")
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise ValueError(f"is no kubeconfig: {_type_error(str(error))}") from None
    if file.kind not in (None, "", "Config") or file.api_version not in (None, "", "v1"):
        raise ValueError(
            f"is no kubeconfig: it is a {file.kind or 'file'} of {file.api_version or 'no version'}"
        )
    for section in (file.clusters, file.users, file.contexts):
        names = [item.name for item in section or ()]
        twice = (
            next((name for name in names if names.count(name) > 1), None)
            if len(set(names)) < len(names)
            else ""
        )
        if twice:
            raise ValueError(f"is no kubeconfig: the name {twice} stands twice in one of its lists")
    return document


def _type_error(message: str) -> str:
    """Return the type error of a decoder as words: `contexts[0].name: expected text, found a number; ...`."""
    match = _TYPE_ERROR.match(message)
    if not match:
        return message.replace("`", "").replace(" - at $.", " in ")
    expected, found, place = (match[1], match[2], match[3])
    quotes = "; put it in quotes" if expected == "str" and found in ("int", "float", "bool") else ""
    text = f"expected {_KINDS.get(expected, expected)}, found {_KINDS.get(found, 'a number')}{quotes}"
    return f"{place}: {text}" if place else text

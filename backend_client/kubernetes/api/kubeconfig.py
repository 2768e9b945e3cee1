"""The kubeconfig: its contexts as kubectl reads them, and the cluster that this process runs in.

Why not the `kubernetes` package: its import costs 0.2 s, more than a whole `kubectl get`, and it lets the
last file name the current context, where kubectl takes the first. Tests hold this module against both.
"""

import base64
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
import yaml
from msgspec import Struct

from backend_client.errors import NotFound, Refused, sentence
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import (
    Credentials,
    ExecPlugin,
    Fixed,
    Login,
    Plugin,
    TokenFile,
    bearer,
)
from backend_client.kubernetes.api.proxy import proxy_of
from backend_client.models.secret import Secret

IN_CLUSTER = "in-cluster"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Context(Struct, frozen=True):
    """One context, as a list of contexts shows it."""

    name: str
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    """Empty where the kubeconfig names none."""
    current: bool = False


class Target(Struct, frozen=True):
    """All that a transport needs to reach one cluster as one user."""

    context: str
    address: Address
    credentials: Credentials
    namespace: str = "default"
    base_path: str = ""
    """Prefix of every path: "" or "/k8s/clusters/c-1"."""
    encrypted: bool = True
    ca: str = ""
    """Certificates to trust (PEM); "": those of the system."""
    insecure: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request: impersonation."""


class Entry(Struct, frozen=True):
    """One named entry of a kubeconfig, and the folder that its relative paths start from."""

    value: Mapping[str, Any]
    folder: Path


class _Merged(Struct, frozen=True):
    """All kubeconfig files as one: the first file to name an entry wins."""

    clusters: dict[str, Entry]
    contexts: dict[str, Entry]
    users: dict[str, Entry]
    current: str


def list_contexts() -> list[Context]:
    """List every context in the order of the files, reading nothing else. Raises Refused on a broken file."""
    merged = _merge(_paths())
    contexts = [_context(name, entry, merged.current) for name, entry in merged.contexts.items()]
    if not contexts and runs_in_cluster():
        return [Context(IN_CLUSTER, namespace=in_cluster().namespace, current=True)]
    return contexts


def load(name: str) -> Target:
    """Load a context's cluster and user. Raises NotFound, or Refused with what is wrong in the kubeconfig."""
    if name == IN_CLUSTER and runs_in_cluster() and name not in _merge(_paths()).contexts:
        return in_cluster()
    context, cluster, user = entries(name)
    try:
        return _target(context, cluster, user)
    except (ValueError, OSError) as error:
        raise Refused(sentence(f"The context {name} of the kubeconfig cannot be used: {error}")) from None


def entries(name: str, path: Path | None = None) -> tuple[Context, Entry, Entry]:
    """Return a context (current-context for "") with its cluster and its user, as one file or kubectl's files
    have them. Raises NotFound, or Refused with what is wrong in the kubeconfig.
    """
    merged = _merge([path] if path else _paths())
    name = name or merged.current
    if name not in merged.contexts:
        names = ", ".join(merged.contexts) or "none"
        raise NotFound(f"No context {name or 'is current'} in the kubeconfig.", f"There are: {names}.")
    context = _context(name, merged.contexts[name], merged.current)
    cluster = merged.clusters.get(context.cluster)
    if cluster is None:
        raise Refused(
            f"The context {name} names the cluster {context.cluster!r}, which the kubeconfig lacks."
        )
    return context, cluster, merged.users.get(context.user, Entry({}, Path()))


def _paths() -> Iterator[Path]:
    listed = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    for path in listed or ["~/.kube/config"]:
        yield Path(path).expanduser()


def _merge(paths: Iterable[Path]) -> _Merged:
    merged = _Merged({}, {}, {}, "")
    current = ""
    for path in paths:
        content = _read(path)
        current = current or str(content.get("current-context") or "")
        for section, singular in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
            entries: dict[str, Entry] = getattr(merged, section)
            for item in _mappings(content.get(section)):
                value = item.get(singular)
                entry = Entry(value if isinstance(value, dict) else {}, path.absolute().parent)
                entries.setdefault(str(item.get("name")), entry)
    return msgspec.structs.replace(merged, current=current)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = _parse_yaml(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Refused(f"The kubeconfig {path} cannot be read: {(error.strerror or '').lower()}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f" in line {mark.line + 1}" if mark else ""
        raise Refused(f"The kubeconfig {path} is no YAML{position}.") from None
    return content if isinstance(content, dict) else {}


@lru_cache(8)
def _parse_yaml(content: bytes) -> Any:
    """Parse a file once for the list of contexts and the opening of one. Callers do not change the result."""
    return yaml.load(content, _LOADER)  # noqa: S506  a safe loader, in C where there is one


def _mappings(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _context(name: str, entry: Entry, current: str) -> Context:
    text = {key: str(entry.value.get(key) or "") for key in ("cluster", "user", "namespace")}
    return Context(name, **text, current=name == current)


def _target(context: Context, cluster: Entry, user: Entry) -> Target:
    url = _server_url(str(cluster.value.get("server") or ""))
    port = url.port or (443 if url.scheme == "https" else 80)
    host = url.hostname or ""
    name = str(cluster.value.get("tls-server-name") or host)
    proxy = proxy_of(str(cluster.value.get("proxy-url") or ""), url.scheme, host, port)
    return Target(
        context=context.name,
        address=Address(host, port, name, proxy),
        credentials=_credentials(context, cluster, user),
        namespace=context.namespace or "default",
        base_path=url.path.rstrip("/"),
        encrypted=url.scheme == "https",
        ca=read_pem(cluster, "certificate-authority"),
        insecure=bool(cluster.value.get("insecure-skip-tls-verify")),
        headers=_impersonation(user.value),
    )


def _server_url(server: str) -> SplitResult:
    url = urlsplit(server)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"its server {server!r} is no https URL")
    return url


def read_pem(entry: Entry, name: str) -> str:
    """Return an entry's PEM text: NAME-data, which wins, or the file that NAME names; "" for neither."""
    if data := entry.value.get(f"{name}-data"):
        return base64.b64decode("".join(str(data).split()), validate=True).decode()
    path = entry.value.get(name)
    return (entry.folder / str(path)).read_text() if path else ""


def _credentials(context: Context, cluster: Entry, user: Entry) -> Credentials:
    """Return a user's credentials in kubectl's order: token (its file first), exec plugin, then password."""
    value = user.value
    certificate = _client_certificate(user)
    base = Login(certificate=certificate)
    if path := value.get("tokenFile"):
        return TokenFile(user.folder / str(path), base)
    if token := value.get("token"):
        return Fixed(Login(bearer(str(token)), certificate))
    if isinstance(program := value.get("exec"), dict):
        return ExecPlugin(_plugin(program, context, cluster, user), base)
    if isinstance(provider := value.get("auth-provider"), dict):
        raise ValueError(f"auth-provider {provider.get('name')} is not supported; use its exec plugin")
    if value.get("username"):
        user_and_password = f"{value['username']}:{value.get('password') or ''}".encode()
        return Fixed(Login(Secret(f"Basic {base64.b64encode(user_and_password).decode()}"), certificate))
    return Fixed(base)


def _client_certificate(user: Entry) -> Secret | None:
    certificate = read_pem(user, "client-certificate")
    return Secret(f"{certificate}\n{read_pem(user, 'client-key')}") if certificate else None


def _plugin(program: Mapping[str, Any], context: Context, cluster: Entry, user: Entry) -> Plugin:
    command = str(program.get("command") or "")
    return Plugin(
        command=str(user.folder / command) if os.sep in command else command,
        arguments=[str(word) for word in program.get("args") or ()],
        environment={str(item["name"]): str(item.get("value", "")) for item in _mappings(program.get("env"))},
        api_version=str(program.get("apiVersion") or ""),
        interactive=str(program.get("interactiveMode") or "IfAvailable"),
        hint=str(program.get("installHint") or ""),
        cluster=_cluster_info(cluster) if program.get("provideClusterInfo") else None,
        context=context.name,
    )


def _cluster_info(cluster: Entry) -> dict[str, Any]:
    """Return the cluster for an exec plugin, in the fields of client.authentication.k8s.io."""
    copied = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")
    info = {key: cluster.value[key] for key in copied if cluster.value.get(key)}
    if ca := read_pem(cluster, "certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(ca.encode()).decode()
    for item in _mappings(cluster.value.get("extensions")):
        if item.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = item.get("extension")
    return info


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
    headers += [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{key}", str(value)) for value in values]
    return tuple(headers)


def runs_in_cluster() -> bool:
    """Return whether this process runs in a pod that has a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").exists()


def in_cluster() -> Target:
    """Return the cluster that this process is a pod of. Raises OSError or KeyError outside of one."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT") or 443)
    return Target(
        context=IN_CLUSTER,
        address=Address(host, port, host),
        credentials=TokenFile(SERVICE_ACCOUNT / "token", Login()),
        namespace=(SERVICE_ACCOUNT / "namespace").read_text().strip() or "default",
        ca=(SERVICE_ACCOUNT / "ca.crt").read_text(),
    )

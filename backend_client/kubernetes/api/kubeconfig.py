"""The kubeconfig: its contexts as kubectl reads them, and the cluster that this process runs in.

Why not the `kubernetes` package: its import costs 0.2 s, more than a whole `kubectl get`, and it lets the
last file name the current context, where kubectl takes the first. Tests hold this module against both.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from backend_client.errors import NotFound, Refused, sentence
from backend_client.kubernetes.api.auth_provider import PROVIDERS, AuthProvider
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
from backend_client.kubernetes.api.kubeconfig_files import (
    Entry,
    Merged,
    default_file,
    means_one,
    merge,
    named_files,
    named_text,
)
from backend_client.kubernetes.api.proxy import proxy_of
from backend_client.models.secret import Secret

IN_CLUSTER = "in-cluster"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNSET = "Mend it, unset KUBECONFIG, or name a context that needs none: `traindeck contexts` lists them."
_MEND = "`kubectl config get-contexts` shows what each context names."


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


def list_contexts() -> list[Context]:
    """List every context in the order of the files, reading nothing else.

    Raises Refused on a broken file, and where KUBECONFIG is set and no file that it names has a context.
    """
    merged = _merged()
    contexts = [_context(name, entry, merged.current) for name, entry in merged.contexts.items()]
    if not contexts and means_one():
        raise Refused(_nothing_named(), _UNSET)
    if not contexts and runs_in_cluster():
        return [Context(IN_CLUSTER, namespace=in_cluster().namespace, current=True)]
    return contexts


def current_context() -> str:
    """Return the name of the current context; "" where none was chosen, and none had to be.

    Raises Refused as `list_contexts`, where current-context names one that is not there, and where
    KUBECONFIG was set and says not which of its contexts is meant.
    """
    contexts = list_contexts()
    current = next((context.name for context in contexts if context.current), "")
    if current:
        return current
    named = _merged().current
    choose = f"--context names one, `traindeck use` chooses one. There are: {_names(contexts)}."
    if named:
        raise Refused(f"The kubeconfig's current-context is {named}, which it does not have.", choose)
    if means_one():
        raise Refused(f"KUBECONFIG is set, but {named_text()} has no current-context.", choose)
    return ""


def _merged() -> Merged:
    return merge(named_files() or [default_file()])


def _nothing_named() -> str:
    missing = [path for path in named_files() if not path.exists()]
    if missing == named_files():
        return f"KUBECONFIG names {named_text()}, which is not there."
    return f"KUBECONFIG names {named_text()}, which has no contexts."


def _names(contexts: Sequence[Context]) -> str:
    return ", ".join(context.name for context in contexts[:20]) or "none"


def load(name: str) -> Target:
    """Load a context's cluster and user. Raises NotFound, or Refused with what is wrong in the kubeconfig."""
    if name == IN_CLUSTER and runs_in_cluster() and name not in _merged().contexts:
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
    return entries_of(merge([path]) if path else _merged(), name)


def entries_of(merged: Merged, name: str) -> tuple[Context, Entry, Entry]:
    """Return a context (current-context for "") with its cluster and its user. Raises NotFound, Refused."""
    name = name or merged.current
    if name not in merged.contexts:
        names = ", ".join(merged.contexts) or "none"
        raise NotFound(f"No context {name or 'is current'} in the kubeconfig.", f"There are: {names}.")
    context = _context(name, merged.contexts[name], merged.current)
    if not context.cluster:
        raise Refused(f"The context {name} names no cluster.", _MEND)
    cluster = merged.clusters.get(context.cluster)
    if cluster is None:
        raise Refused(
            f"The context {name} names the cluster {context.cluster!r}, which the kubeconfig lacks.", _MEND
        )
    if context.user and context.user not in merged.users:
        raise Refused(
            f"The context {name} names the user {context.user!r}, which the kubeconfig lacks.", _MEND
        )
    return context, cluster, merged.users.get(context.user, Entry({}, Path()))


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
        try:
            return base64.b64decode("".join(data.split()), validate=True).decode()
        except ValueError:
            raise ValueError(f"{name}-data is no text in base64") from None
    path = entry.value.get(name)
    return (entry.folder / str(path)).read_text() if path else ""


def _credentials(context: Context, cluster: Entry, user: Entry) -> Credentials:
    """Return a user's credentials in kubectl's order: token (its file first), exec plugin, then password."""
    value = user.value
    certificate = _client_certificate(user)
    base = Login(certificate=certificate)
    if path := value.get("tokenFile"):
        return TokenFile(user.folder / str(path), base)
    if token := str(value.get("token") or "").strip():
        return Fixed(Login(bearer(token), certificate))
    if isinstance(program := value.get("exec"), dict):
        return ExecPlugin(_plugin(program, context, cluster, user), base)
    if isinstance(provider := value.get("auth-provider"), dict):
        if provider.get("name") not in PROVIDERS:
            raise ValueError(f"auth-provider {provider.get('name')} is not supported; use its exec plugin")
        return AuthProvider(context.name, context.user, base, lambda: entries(context.name)[2])
    if value.get("username"):
        user_and_password = f"{value['username']}:{value.get('password') or ''}".encode()
        return Fixed(Login(Secret(f"Basic {base64.b64encode(user_and_password).decode()}"), certificate))
    if certificate is None and str(cluster.value.get("server")).startswith("https:"):
        who = (
            f"its user {context.user}" if context.user else "it names no user, so it"
        )  # kubectl asks for one
        raise ValueError(f"{who} has no token, certificate, login program or password")
    return Fixed(base)


def _client_certificate(user: Entry) -> Secret | None:
    certificate = read_pem(user, "client-certificate")
    if not certificate:
        return None
    key = read_pem(user, "client-key")
    if not key:
        raise ValueError("its user has a client-certificate, and no client-key")
    return Secret(f"{certificate}\n{key}")


def _plugin(program: Mapping[str, Any], context: Context, cluster: Entry, user: Entry) -> Plugin:
    command = str(program.get("command") or "")
    return Plugin(
        command=str(user.folder / command) if os.sep in command else command,
        arguments=[str(word) for word in program.get("args") or ()],
        environment={str(item["name"]): str(item.get("value", "")) for item in program.get("env") or ()},
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
    for item in cluster.value.get("extensions") or ():
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

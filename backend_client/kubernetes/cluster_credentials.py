"""One cluster out of a kubeconfig, for a server: its address, its CA, and a token or a certificate.

Read where the kubeconfig is, so that nothing reaches the server that only means something here: no login
program, no path of a file, no proxy.
"""

from pathlib import Path

from msgspec import Struct

from backend_client.errors import NotFound, Refused
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.kubeconfig import Entry, material
from backend_client.models.secret import Secret

_REMEDY = (
    "Give the server an account of its own: "
    "kubectl create token ACCOUNT --duration 8760h | traindeck clusters add NAME --token-stdin"
)
_ELSEWHERE = {
    "exec": ("its user logs in by a program, which the server cannot run", _REMEDY),
    "auth-provider": ("its user logs in by a plugin, which the server does not have", _REMEDY),
    "username": ("its user has a password, which clusters do not take any more", _REMEDY),
}
_ALWAYS = {"as": ("it acts as somebody else (impersonation)", _REMEDY)}
_CLUSTER = {
    "proxy-url": ("it is behind a proxy", "The server must reach it directly."),
    "insecure-skip-tls-verify": ("it is not verified", "Give its CA: certificate-authority-data."),
    "tls-server-name": ("its certificate has another name", "Use the name that the certificate has."),
}


class ClusterCredentials(Struct, frozen=True, kw_only=True):
    """What a server needs to reach a cluster."""

    server: str
    ca: str = ""
    """PEM; empty: the system's."""
    token: Secret | None = None
    certificate: str = ""
    key: Secret | None = None
    namespace: str = ""
    """The context's own, where it names one."""


def extract(path: Path, name: str = "", token: Secret | None = None) -> ClusterCredentials:
    """A context of a kubeconfig (the current one, where no name is given); with `token`, without its user.

    Raises NotFound; Refused where a server could not use it, with what to do.
    """
    if not path.exists():
        raise NotFound(f"There is no file {path}.")
    try:
        context, cluster, user = kubeconfig.entries(name, path)
        if token:
            user = Entry({"token": token.reveal()}, user.folder)
        _check(cluster, _CLUSTER)
        _check(user, _ALWAYS)
        login = _token(user)
        certificate = material(user, "client-certificate")
        if not login:
            _check(user, _ELSEWHERE)
        if not login and not certificate:
            raise Refused(
                "A server cannot use this context: it has neither a token nor a certificate.", _REMEDY
            )
        return ClusterCredentials(
            server=_https(cluster),
            ca=material(cluster, "certificate-authority"),
            token=Secret(login) if login else None,
            certificate="" if login else certificate,
            key=None if login else Secret(material(user, "client-key")),
            namespace=context.namespace,
        )
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "it holds no base64"
        raise Refused(f"The kubeconfig {path} cannot be used: {why}.") from None


def _check(entry: Entry, faults: dict[str, tuple[str, str]]) -> None:
    for name, (why, hint) in faults.items():
        if entry.value.get(name):
            raise Refused(f"A server cannot use this context: {why} ({name}).", hint)


def _https(cluster: Entry) -> str:
    server = str(cluster.value.get("server") or "")
    if not server.startswith("https://"):
        raise Refused(f"A server reaches clusters by https only; this one is at {server or 'no address'}.")
    return server


def _token(user: Entry) -> str:
    if path := user.value.get("tokenFile"):
        return (user.folder / str(path)).read_text().strip()
    return str(user.value.get("token") or "")

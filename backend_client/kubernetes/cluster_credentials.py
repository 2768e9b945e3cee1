"""The credentials of one cluster, taken out of a kubeconfig for a server: address, CA, token or certificate.

They are resolved where the kubeconfig is, so that nothing reaches the server that means something only here:
no login program, no path of a file, no proxy.
"""

from pathlib import Path

from msgspec import Struct

from backend_client.errors import NotFound, Refused
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.kubeconfig import Context, read_pem
from backend_client.kubernetes.api.kubeconfig_files import Entry, merge_text
from backend_client.models.secret import Secret

_REMEDY = (
    "Give the server an account of its own: "
    "kubectl create token ACCOUNT --duration 8760h | traindeck clusters add NAME --token-stdin"
)
_LOGIN_FAULTS = {
    "exec": ("its user logs in by a program, which the server cannot run", _REMEDY),
    "auth-provider": ("its user logs in by a plugin, which the server does not have", _REMEDY),
    "username": ("its user has a password, which clusters do not take any more", _REMEDY),
}
_USER_FAULTS = {"as": ("it acts as somebody else (impersonation)", _REMEDY)}
_CLUSTER_FAULTS = {
    "proxy-url": ("it is behind a proxy", "The server must reach it directly."),
    "insecure-skip-tls-verify": ("it is not verified", "Give its CA: certificate-authority-data."),
    "tls-server-name": ("its certificate has another name", "Use the name that the certificate has."),
}

_IN_A_FILE = (
    "it names a file, which is not here",
    "Give what this prints, it has the files in it: kubectl config view --minify --flatten --raw",
)
_PEM_FILES = ("certificate-authority", "client-certificate", "client-key")
_NOWHERE = Path("/dev/null")
"""The folder of a kubeconfig that is no file here: nothing can be in it."""


class ClusterCredentials(Struct, frozen=True, kw_only=True):
    """What a server needs to reach a cluster: address, CA, and a token or a certificate with its key."""

    server: str
    ca: str = ""
    """PEM; empty: the system's."""
    token: Secret | None = None
    certificate: str = ""
    key: Secret | None = None
    namespace: str = ""
    """The context's own, where it names one."""


def extract(path: Path, name: str = "", token: Secret | None = None) -> ClusterCredentials:
    """Return the credentials of a context (current-context for ""); with `token`, that instead of its user's.

    Raises NotFound, and Refused, with what to do, where a server could not use them.
    """
    if not path.exists():
        raise NotFound(f"There is no file {path}.")
    try:
        context, cluster, user = kubeconfig.entries(name, path)
        return _credentials(context, cluster, _with_token(user, token))
    except (OSError, ValueError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "it holds no base64"
        raise Refused(f"The kubeconfig {path} cannot be used: {reason}.") from None


def extract_text(text: str, name: str = "", token: Secret | None = None) -> ClusterCredentials:
    """Return the same of a kubeconfig that comes from elsewhere: no file that it names is read here.

    Raises NotFound, and Refused.
    """
    try:
        context, cluster, user = kubeconfig.entries_of(merge_text(text, _NOWHERE), name)
        user = _with_token(user, token)
        for entry in (cluster, user):
            _check(entry, _named_files(entry))
        return _credentials(context, cluster, user)
    except ValueError:
        raise Refused("The kubeconfig cannot be used: it holds no base64.") from None


def _named_files(entry: Entry) -> dict[str, tuple[str, str]]:
    """Return the faults of the fields by which an entry would have a file read."""
    files = [name for name in _PEM_FILES if not entry.value.get(f"{name}-data")]
    return dict.fromkeys((*files, "tokenFile"), _IN_A_FILE)


def _with_token(user: Entry, token: Secret | None) -> Entry:
    return Entry({"token": token.reveal()}, user.folder) if token else user


def _credentials(context: Context, cluster: Entry, user: Entry) -> ClusterCredentials:
    _check(cluster, _CLUSTER_FAULTS)
    _check(user, _USER_FAULTS)
    bearer_token = _token(user)
    certificate = read_pem(user, "client-certificate")
    if not bearer_token:
        _check(user, _LOGIN_FAULTS)
    if not bearer_token and not certificate:
        raise Refused("A server cannot use this context: it has neither a token nor a certificate.", _REMEDY)
    return ClusterCredentials(
        server=_server_url(cluster),
        ca=read_pem(cluster, "certificate-authority"),
        token=Secret(bearer_token) if bearer_token else None,
        certificate="" if bearer_token else certificate,
        key=None if bearer_token else Secret(read_pem(user, "client-key")),
        namespace=context.namespace,
    )


def _check(entry: Entry, faults: dict[str, tuple[str, str]]) -> None:
    for name, (reason, hint) in faults.items():
        if entry.value.get(name):
            raise Refused(f"A server cannot use this context: {reason} ({name}).", hint)


def _server_url(cluster: Entry) -> str:
    server = str(cluster.value.get("server") or "")
    if not server.startswith("https://"):
        raise Refused(f"A server reaches clusters by https only; this one is at {server or 'no address'}.")
    return server


def _token(user: Entry) -> str:
    if path := user.value.get("tokenFile"):
        return (user.folder / str(path)).read_text().strip()
    return str(user.value.get("token") or "")

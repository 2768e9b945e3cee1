"""The registration of a cluster by an admin: an https server, a CA, a token or a certificate with its key.

Never a kubeconfig: no program to run, no file to read, no proxy to pass.
"""

from urllib.parse import urlsplit

from cryptography import x509
from msgspec import Struct

from backend_client.errors import BackendError, Invalid, fragment
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Fixed, Login, bearer
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.models.fields import parse_field
from backend_client.models.secret import Secret


class ClusterRegistration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/clusters."""

    name: str
    server: str
    ca: str = ""
    """PEM; empty: the authorities of the system."""
    token: str = ""
    certificate: str = ""
    """PEM, with `key`, instead of a token."""
    key: str = ""
    namespace: str = ""
    """The one namespace of all jobs there; empty makes one for each person."""


class Credential(Struct, frozen=True):
    """The secret part of a registration, which is stored sealed."""

    token: str = ""
    certificate: str = ""
    """PEM, the key behind it."""


def check_registration(registration: ClusterRegistration) -> None:
    """Check each field of a registration. Raises Invalid, which names the wrong ones and quotes none."""
    checks = (_name_error, _server_error, _ca_error, _login_error, _namespace_error)
    if errors := dict(filter(None, (check(registration) for check in checks))):
        raise Invalid(errors)


def credential_of(registration: ClusterRegistration) -> Credential:
    """Return the secret part of a registration."""
    pair = f"{registration.certificate}\n{registration.key}" if registration.certificate else ""
    return Credential(registration.token.strip(), pair)


def target_of(name: str, server: str, ca: str, login: Credential, namespace: str) -> Target:
    """Return the target of a cluster: its address with the credentials."""
    url = urlsplit(server)
    host = url.hostname or ""
    authorization = bearer(login.token) if login.token else None
    certificate = Secret(login.certificate) if login.certificate else None
    return Target(
        context=name,
        address=Address(host, url.port or 443, host),
        credentials=Fixed(Login(authorization, certificate)),
        namespace=namespace or "default",
        base_path=url.path.rstrip("/"),
        ca=ca,
    )


_FieldError = tuple[str, str] | None


def _name_error(registration: ClusterRegistration) -> _FieldError:
    try:
        return None if parse_field("cluster", registration.name) else ("name", "give it a name")
    except ValueError as error:
        return "name", str(error)


def _server_error(registration: ClusterRegistration) -> _FieldError:
    try:
        url = urlsplit(registration.server)
        valid = url.scheme == "https" and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if not valid or url.username or url.password or url.query or url.fragment:
        return "server", "write https://HOST:PORT"
    return None


def _ca_error(registration: ClusterRegistration) -> _FieldError:
    try:
        if registration.ca:
            x509.load_pem_x509_certificates(registration.ca.encode())
    except ValueError:
        return "ca", "is no PEM certificate"
    return None


def _login_error(registration: ClusterRegistration) -> _FieldError:
    if bool(registration.token) == bool(registration.certificate) or bool(registration.certificate) != bool(
        registration.key
    ):
        return "token", "give a token, or a certificate and its key"
    try:
        bearer(registration.token)
    except BackendError as error:
        return "token", fragment(error.title)
    return None


def _namespace_error(registration: ClusterRegistration) -> _FieldError:
    try:
        parse_field("namespace", registration.namespace)
    except ValueError as error:
        return "namespace", str(error)
    return None

"""TLS contexts as a kubeconfig asks for them; private keys never touch a disk."""

import os
import ssl

from backend_client.errors import LoginNeeded, Refused
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.models.secret import Secret


def client_context(target: Target, certificate: Secret | None) -> ssl.SSLContext | None:
    """Return the TLS context for a cluster; None for one without TLS. `certificate`: PEM, with its key.

    Not `create_default_context`: from Python 3.13 on that refuses authorities that many clusters have.
    """
    if not target.encrypted:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if target.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif target.ca:
        _load_authority(context, target)
    else:
        context.load_default_certs()
    if certificate:
        _load_client_certificate(context, target, certificate)
    return context


def _load_authority(context: ssl.SSLContext, target: Target) -> None:
    try:
        context.load_verify_locations(cadata=target.ca)
    except (ssl.SSLError, ValueError):
        raise Refused(
            f"The certificate-authority of context {target.context} is no PEM certificate."
        ) from None


def _load_client_certificate(context: ssl.SSLContext, target: Target, certificate: Secret) -> None:
    """Load a certificate and its key from memory that looks like a file: `load_cert_chain` takes only paths.

    An empty password keeps OpenSSL from asking for one on the terminal.
    """
    memory = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(certificate.reveal().encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}", password="")
    except (ssl.SSLError, ValueError):
        title = f"The client certificate and key of context {target.context} do not fit or cannot be read."
        raise LoginNeeded(title, "Log in again; an encrypted key is not supported.") from None
    finally:
        os.close(memory)

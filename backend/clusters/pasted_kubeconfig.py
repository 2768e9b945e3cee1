"""A registration out of a kubeconfig that an admin pastes: its text alone counts, nothing here is read."""

from backend.clusters.registration import ClusterRegistration
from backend_client.kubernetes.cluster_credentials import extract_text
from backend_client.models.secret import Secret


def registration_from(
    kubeconfig: str, *, name: str, context: str = "", token: str = "", namespace: str = ""
) -> ClusterRegistration:
    """Return the registration of a context (current-context for ""); with `token`, that instead of its login.

    Raises NotFound, Refused.
    """
    found = extract_text(kubeconfig, context, Secret(token) if token else None)
    return ClusterRegistration(
        name=name,
        server=found.server,
        ca=found.ca,
        token=found.token.reveal() if found.token else "",
        certificate=found.certificate if found.key else "",
        key=found.key.reveal() if found.key else "",
        namespace=namespace,
    )

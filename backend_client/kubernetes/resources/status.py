"""metav1.Status: the body of the response to a refused request."""

from msgspec import Struct

from backend_client.kubernetes.resources.core import KubeStruct


class Cause(Struct, frozen=True, gc=False):
    """One cause of a refusal: for a 422 the field and what is wrong with it."""

    message: str = ""
    field: str = ""


class StatusDetails(KubeStruct, frozen=True):
    """The details of a refusal."""

    kind: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: int = 0


class Status(KubeStruct, frozen=True):
    """metav1.Status: an API server's refusal."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails = StatusDetails()

"""metav1.Status: the body of a request that the API server refused."""

from msgspec import Struct

from backend_client.kubernetes.resources.core import KubeStruct


class Cause(Struct, frozen=True, gc=False):
    """One reason in a Status: for a 422 the field and what is wrong with it."""

    message: str = ""
    field: str = ""


class StatusDetails(KubeStruct, frozen=True):
    """What a Status is about."""

    kind: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: int = 0


class Status(KubeStruct, frozen=True):
    """metav1.Status: how the API server says no."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails = StatusDetails()

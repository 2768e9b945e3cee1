"""The container that a command runs in."""

from msgspec import Struct

from backend_client.kubernetes.resources.resource_types import PODS


class Container(Struct, frozen=True):
    """A container of a pod."""

    namespace: str
    pod: str
    name: str

    def __str__(self) -> str:
        return f"container {self.name} of pod {self.pod}"

    @property
    def exec_path(self) -> str:
        """The path that a command is started by."""
        return PODS.path(self.namespace, self.pod, "exec")

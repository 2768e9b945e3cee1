"""The context source of the kubeconfig: each of its contexts is a context here.

Imports next to nothing where there is no kubeconfig.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from backend_client.contexts import ContextInfo
from backend_client.errors import BackendError, fragment
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import JobBackend


class _Kubeconfig(Struct, frozen=True):
    """The contexts of a kubeconfig, their namespaces by name, and the name of the current one."""

    contexts: tuple[ContextInfo, ...] = ()
    namespaces: dict[str, str] = {}
    current: str = ""


class KubeconfigContexts:
    """Every context of the kubeconfig, read once. An unreadable kubeconfig is one context that says why."""

    kind = "k8s"

    def __init__(self, site: KubernetesSettings) -> None:
        self._site = site

    def contexts(self) -> Sequence[ContextInfo]:
        """Return the contexts in the order of the kubeconfig's files."""
        return self._kubeconfig.contexts

    def current(self) -> str:
        """Return the kubeconfig's current-context; "" where it names no context."""
        return self._kubeconfig.current

    def open(self, name: str) -> JobBackend:
        """Return the backend of a context; it contacts no cluster yet."""
        from backend_client.kubernetes.backend import KubernetesBackend  # noqa: PLC0415  other sources need no TLS

        return KubernetesBackend(name, self._site, namespace=self._kubeconfig.namespaces.get(name, ""))

    @cached_property
    def _kubeconfig(self) -> _Kubeconfig:
        if not _exists():
            return _Kubeconfig()
        from backend_client.kubernetes.api import kubeconfig  # noqa: PLC0415  YAML and TLS

        try:
            listed = kubeconfig.list_contexts()
        except BackendError as error:
            return _Kubeconfig((ContextInfo("kubeconfig", self.kind, "clusters", fragment(error.title)),))
        return _Kubeconfig(
            tuple(ContextInfo(context.name, self.kind, _description(context.cluster)) for context in listed),
            {context.name: context.namespace for context in listed},
            next((context.name for context in listed if context.current), ""),
        )


def _exists() -> bool:
    """Return whether there may be a context: a kubeconfig, or a pod that this process runs in."""
    configured = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    paths = (Path(path).expanduser() for path in configured or ["~/.kube/config"])
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(path.exists() for path in paths)


def _description(cluster: str) -> str:
    return f"cluster {cluster}" if cluster else "the cluster that this machine is a pod of"

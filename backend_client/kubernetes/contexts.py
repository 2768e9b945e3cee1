"""The context source of the kubeconfig: each of its contexts is a context here.

Imports next to nothing where there is no kubeconfig.
"""

import os
from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from backend_client.contexts import KUBECTL, ContextInfo
from backend_client.errors import Refused, fragment
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models.datasets import Datasets
from backend_client.protocol import JobBackend


class _Kubeconfig(Struct, frozen=True):
    """The contexts of a kubeconfig, their namespaces by name, and the name of the current one."""

    contexts: tuple[ContextInfo, ...] = ()
    namespaces: dict[str, str] = {}
    current: str = ""
    fault: Refused | None = None
    """Why there is no current context, where one was meant."""


class KubeconfigContexts:
    """Every context of the kubeconfig, read once. An unusable kubeconfig is one context that says why."""

    kind = KUBECTL

    def __init__(self, site: KubernetesSettings, datasets: Datasets | None = None) -> None:
        self._site = site
        self._datasets = datasets or {}

    def contexts(self) -> Sequence[ContextInfo]:
        """Return the contexts in the order of the kubeconfig's files."""
        return self._kubeconfig.contexts

    def current(self) -> str:
        """Return the kubeconfig's current-context; "" where none was chosen.

        Raises Refused where the kubeconfig cannot be used, or its current-context is not there.
        """
        if self._kubeconfig.fault:
            raise self._kubeconfig.fault
        return self._kubeconfig.current

    def open(self, name: str) -> JobBackend:
        """Return the backend of a context; it contacts no cluster yet."""
        from backend_client.kubernetes.backend import KubernetesBackend  # noqa: PLC0415  other sources need no TLS

        namespace = self._kubeconfig.namespaces.get(name, "")
        return KubernetesBackend(name, self._site, namespace=namespace, datasets=self._datasets)

    @cached_property
    def _kubeconfig(self) -> _Kubeconfig:
        if not _exists():
            return _Kubeconfig()
        from backend_client.kubernetes.api import kubeconfig  # noqa: PLC0415  YAML and TLS

        try:
            listed = kubeconfig.list_contexts()
        except Refused as fault:
            broken = ContextInfo("kubeconfig", self.kind, "clusters", fragment(fault.title))
            return _Kubeconfig((broken,), fault=fault)
        known = _Kubeconfig(
            tuple(ContextInfo(context.name, self.kind, _description(context.cluster)) for context in listed),
            {context.name: context.namespace for context in listed},
        )
        try:
            return replace(known, current=kubeconfig.current_context())
        except Refused as fault:
            return replace(known, fault=fault)


def _exists() -> bool:
    """Return whether there may be a context: a kubeconfig, or a pod that this process runs in."""
    named = [word for word in os.environ.get("KUBECONFIG", "").split(os.pathsep) if word]
    if "KUBERNETES_SERVICE_HOST" in os.environ or any(word != os.devnull for word in named):
        return True
    if named:
        return False
    try:
        os.stat(os.path.expanduser("~/.kube/config"))  # noqa: PTH111, PTH116  Path's raises without a home
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _description(cluster: str) -> str:
    return f"cluster {cluster}" if cluster else "the cluster that this machine is a pod of"

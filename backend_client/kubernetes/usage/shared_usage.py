"""The use of jobs as all backends of one context share it; what tells it is loaded when first asked for."""

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models.secret import Secret
from backend_client.protocol import WatchEvent
from backend_client.usage_pace import UsagePace

if TYPE_CHECKING:
    from backend_client.kubernetes.usage.cluster_usage import ClusterUsage


class SharedUsage:
    """The use of jobs of one context, and how often it is read for a watch."""

    def __init__(self, session: ClusterSession, site: KubernetesSettings, token: Secret | None) -> None:
        """Open nothing yet. `token`: of the Prometheus, where it has a URL."""
        self._session, self._token = session, token
        self._settings = site.prometheus_of.get(session.name, site.prometheus)
        self._reads_in_pods = site.nvidia_smi
        self._opened: ClusterUsage | None = None
        self._pace = UsagePace()

    def open(self) -> "ClusterUsage":
        """Return what reads the use; the same each time."""
        from backend_client.kubernetes.usage.cluster_usage import (  # noqa: PLC0415  a list needs none
            ClusterUsage,
        )

        self._opened = self._opened or ClusterUsage(
            self._session, self._settings, self._token, reads_in_pods=self._reads_in_pods
        )
        return self._opened

    def set_interval(self, seconds: float) -> None:
        """Set how often watches read the use; a shorter time than before begins with a reading now."""
        self._pace.set_interval(seconds)

    def follow(
        self, batches: AsyncGenerator[Sequence[WatchEvent], None]
    ) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """Yield the batches of a watch, with what its jobs use."""
        return self._pace.follow(self.open().read, batches)

    def refresh(self) -> None:
        """Have watches read the use now."""
        self._pace.hurry()

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._opened:
            await self._opened.aclose()

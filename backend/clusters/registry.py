"""The registry of clusters: those that admins registered, and the one (or machine) that runs the server."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.clusters.circuit_breaker import named_failures
from backend.clusters.cluster import INTO_JOBS, Cluster
from backend.clusters.credential_vault import open_vault
from backend.clusters.hub import Hub
from backend.clusters.prometheus import prometheus_of, unknown_names
from backend.clusters.registration import ClusterRegistration, Credential, credential_of, target_of
from backend.clusters.usage_pace import usage_seconds
from backend.db.engine import Database
from backend.db.models import Cluster as ClusterRow
from backend.db.models import JobRow
from backend.settings import ServerSettings
from backend_client.errors import Conflict, Invalid, NotFound, Refused, fragment, sentence
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.local.backend import LocalBackend
from backend_client.models.datasets import Dataset, Datasets
from backend_client.protocol import Feature

LOCAL = "local"
_BUILT_IN = (LOCAL, kubeconfig.IN_CLUSTER)
SWITCHED_OFF = (
    "this server lets nobody into jobs; its admin can, by TRAINDECK_SERVER_EXEC=on and a role in the cluster"
)
_INTO_MACHINE = {
    Feature.EXEC: "a server opens no shells on the machine that it runs on; --context local does there",
    Feature.PORTS: "a server opens no ports of the machine that it runs on; they are open there already",
}
"""A port of a machine is everybody's who runs something on it, not a job's."""
log = logging.getLogger("traindeck.clusters")


class ClusterRegistry:
    """The open clusters by name."""

    def __init__(self, settings: ServerSettings, database: Database, hub: Hub) -> None:
        self._settings = settings
        self._database = database
        self._hub = hub
        self.vault = open_vault(settings)
        self._open: dict[str, Cluster] = {}
        self._failed: dict[str, Refused] = {}
        """Registered clusters that cannot be opened -> why."""
        self.kubernetes = kubernetes_settings(settings)
        self._datasets = datasets_of(settings)

    def __iter__(self) -> Iterator[Cluster]:
        return iter([*self._open.values()])

    async def open(self) -> None:
        """Open all clusters, and contact none yet. Raises Refused where the settings do not fit together."""
        for cluster in self._built_in():
            self._connect(cluster)
        async with self._database.read() as session:
            rows = [*await session.scalars(select(ClusterRow).order_by(ClusterRow.id))]
        for row in rows:
            try:
                if row.name not in self._open:
                    self._connect(self._open_row(row))
            except Refused as error:  # one key is wrong: the other clusters go on
                log.warning("%s: %s", fragment(error.title), error.hint)
                self._failed[row.name] = error
        for name in unknown_names(self._settings.prometheus, (*self._open, *self._failed)):
            log.warning("the setting prometheus names a cluster %s, and there is none (yet)", name)

    def get(self, name: str) -> Cluster:
        """Return an open cluster. Raises NotFound; Refused for one that cannot be opened."""
        if name in self._failed:
            raise self._failed[name]
        if name not in self._open:
            raise NotFound(f"There is no cluster {name}.", sentence(self._available()))
        return self._open[name]

    def resolve(self, name: str) -> Cluster:
        """Return the cluster that a job goes to; "" is the only one. Raises Invalid, Refused."""
        if name in self._open:
            return self._open[name]
        if name:
            raise Invalid({"cluster": f"there is no cluster {name}; {self._available()}"})
        if not self._open:
            raise Refused("This server has no cluster yet.", "An admin adds one: traindeck clusters add")
        if len(self._open) > 1:
            raise Invalid({"cluster": f"say which; {self._available()}"})
        return next(iter(self._open.values()))

    async def probe(self, registration: ClusterRegistration) -> None:
        """Probe a cluster with its login. Raises Unreachable, Refused."""
        backend = self._backend(
            registration.name,
            registration.server,
            registration.ca,
            credential_of(registration),
            registration.namespace,
        )
        try:
            async with named_failures(registration.name, 10.0):
                await backend.whoami()
        finally:
            await backend.aclose()

    async def register(self, session: AsyncSession, registration: ClusterRegistration) -> ClusterRow:
        """Store a registration; for a name that has the same server, its new login. Raises Conflict."""
        sealed = self.vault.seal(
            msgspec.json.encode(credential_of(registration)), _subject(registration.name, registration.server)
        )
        location = {
            "name": registration.name,
            "server": registration.server,
            "namespace": registration.namespace,
        }
        row = await session.scalar(
            select(ClusterRow).where(ClusterRow.name == registration.name).with_for_update()
        )
        if row is None:
            row = ClusterRow(**location, ca="", credential=b"", created=datetime.now(UTC))
        elif any(getattr(row, field) != value for field, value in location.items()):
            raise _name_conflict(registration.name)
        if registration.name in _BUILT_IN:
            raise _name_conflict(registration.name)
        row.ca, row.credential = registration.ca, sealed
        session.add(row)
        try:
            await session.flush()
        except IntegrityError:
            raise _name_conflict(registration.name) from None
        return row

    async def connect(self, row: ClusterRow) -> None:
        """Open a cluster that was just registered; its cached jobs stay."""
        self._failed.pop(row.name, None)
        if before := self._open.pop(row.name, None):
            await before.aclose()
        self._connect(self._open_row(row))

    async def unregister(self, session: AsyncSession, name: str) -> None:
        """Delete a registration. Raises NotFound; Refused if no admin made it; Conflict while jobs exist."""
        if name not in self._failed:
            self.get(name)
        gone = await session.execute(delete(ClusterRow).where(ClusterRow.name == name))
        if not gone.rowcount:  # type: ignore[attr-defined]  # a DELETE has one
            raise Refused(kept_because(name) or f"There is no cluster {name} any more.")
        living = select(func.count()).where(JobRow.cluster == name, JobRow.deleted.is_(None))
        if count := await session.scalar(living):
            raise Conflict(f"There are {count} jobs in {name}.", "Delete them first.")

    async def disconnect(self, name: str) -> None:
        """Close a cluster that was unregistered."""
        self._failed.pop(name, None)
        if cluster := self._open.pop(name, None):
            await cluster.aclose()
            self._hub.drop(name)

    async def aclose(self) -> None:
        """Close all clusters."""
        await asyncio.gather(*(cluster.aclose() for cluster in self))

    def _built_in(self) -> Iterator[Cluster]:
        settings = self._settings
        if settings.local:
            if not listens_on_loopback(settings):
                raise Refused(
                    "--local is for one person, and jobs run as the server's own user.",
                    "Listen on 127.0.0.1 or a unix socket.",
                )
            local = LocalBackend(gpus=settings.local_gpus, grace=settings.local_grace)
            yield Cluster(LOCAL, local, has_namespaces=False, withheld=_INTO_MACHINE)
        if kubeconfig.runs_in_cluster():
            name, target = kubeconfig.IN_CLUSTER, kubeconfig.in_cluster()
            backend = self._kubernetes(name, settings.namespace, target)
            yield self._cluster(name, backend, settings.namespace)

    def _open_row(self, row: ClusterRow) -> Cluster:
        sealed = self.vault.open(row.credential, _subject(row.name, row.server))
        login = msgspec.json.decode(sealed, type=Credential)
        namespace = row.namespace or self._settings.namespace
        backend = self._backend(row.name, row.server, row.ca, login, namespace)
        return self._cluster(row.name, backend, namespace)

    def _cluster(self, name: str, backend: KubernetesBackend, namespace: str) -> Cluster:
        withheld = {} if self._settings.exec else dict.fromkeys(INTO_JOBS.values(), SWITCHED_OFF)
        return Cluster(name, backend, namespace=namespace, withheld=withheld)

    def _backend(
        self, name: str, server: str, ca: str, login: Credential, namespace: str
    ) -> KubernetesBackend:
        to = target_of(name, server, ca, login, namespace)
        return self._kubernetes(name, namespace, to)

    def _kubernetes(self, name: str, namespace: str, target: Target) -> KubernetesBackend:
        measured, token = prometheus_of(self._settings.prometheus, name, self.kubernetes)
        return KubernetesBackend(
            name,
            measured,
            namespace=namespace,
            target=target,
            prometheus_token=token,
            datasets=self._datasets,
        )

    def _connect(self, cluster: Cluster) -> Cluster:
        self._open[cluster.name] = cluster
        cluster.backend.set_usage_interval(usage_seconds(self._hub))
        cluster.start_watch(self._hub)
        return cluster

    def _available(self) -> str:
        return f"there are: {', '.join(self._open) or 'none'}"


def kubernetes_settings(settings: ServerSettings) -> KubernetesSettings:
    """Return the Kubernetes part of the settings. Raises Refused, which says what is wrong."""
    try:
        found = msgspec.convert(settings.kubernetes, KubernetesSettings)
    except msgspec.ValidationError as error:
        raise Refused(sentence(f"The setting kubernetes cannot be read: {error}")) from None
    if found.nvidia_smi:
        raise Refused(
            "A server runs nothing in people's pods: kubernetes.nvidia_smi is for their own machines.",
            "Remove it, and name a Prometheus in the setting prometheus.",
        )
    return found


def datasets_of(settings: ServerSettings) -> Datasets:
    """Return the datasets of the settings. Raises Refused, which says what is wrong."""
    try:
        return msgspec.convert(settings.datasets, dict[str, Dataset])
    except msgspec.ValidationError as error:
        raise Refused(sentence(f"The setting datasets cannot be read: {error}")) from None


def kept_because(name: str) -> str:
    """Say why a cluster cannot be removed; "" where it can."""
    return f"{name} is where the server itself runs, and cannot be removed." if name in _BUILT_IN else ""


def listens_on_loopback(settings: ServerSettings) -> bool:
    """Tell whether only this machine can reach the server."""
    return settings.socket is not None or settings.listen.rpartition(":")[0] in (
        "127.0.0.1",
        "localhost",
        "[::1]",
        "::1",
    )


def _name_conflict(name: str) -> Conflict:
    return Conflict(f"There is another cluster {name} already.", "Choose another name.")


def _subject(name: str, server: str) -> str:
    return f"the cluster {name} at {server}"

"""A cluster of the server: its backend, its circuit breaker, and the one watch that feeds the hub."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from backend.clusters.circuit_breaker import CircuitBreaker
from backend.clusters.hub import Hub
from backend_client.code_bundle import HasCode
from backend_client.errors import BackendError, Refused, fragment
from backend_client.models import JobSpec
from backend_client.models.fields import explicit_fields
from backend_client.multi_user import MultiUserBackend
from backend_client.protocol import (
    AccessDecision,
    AccessReview,
    Feature,
    FieldRule,
    FreshnessState,
    Scope,
    Use,
    Verb,
)
from backend_client.server.bodies import ClusterInfo
from backend_client.server.wire import ClusterLink
from backend_client.single_flight import SingleFlight

log = logging.getLogger("traindeck.clusters")
RETRY_SECONDS = 5.0
INTO_JOBS = {Verb.EXEC: Feature.EXEC, Verb.PORTS: Feature.PORTS}
"""The verbs that lead into a running job, and the feature that each needs."""
ENTER_SECONDS = 60.0
"""For so long it is known whether the server may get into jobs of a cluster."""
NO_ROLE = "an admin of the cluster grants it by deploy/kubernetes/exec.yaml"
NO_FILES = "a traindeck server lists no files; a kubeconfig context of the same cluster does"
NO_CODE = "jobs of the server's own machine get no copy of a folder; name one of that machine as workdir"
NAMESPACES = "the server chooses the namespace of your jobs; leave it empty"
PATCHES = "a server takes no patch of a pod; its admin can set one for all jobs (kubernetes.pod_template)"


class Cluster:
    """An open cluster. `namespace`: the one of all jobs; "" is one for each user."""

    def __init__(
        self,
        name: str,
        backend: MultiUserBackend,
        *,
        namespace: str = "",
        has_namespaces: bool = True,
        withheld: Mapping[Feature, str] | None = None,
    ) -> None:
        """Hold an open backend; `has_namespaces` is False for a machine.

        `withheld`: features of it that the server passes on to nobody, and why.
        """
        self.name = name
        self.backend = backend
        self.namespace = namespace
        self.has_namespaces = has_namespaces
        self.withheld = withheld or {}
        self.breaker = CircuitBreaker(name, backend.whoami)
        self.ensured_namespaces: set[tuple[str, bool]] = set()
        """Namespaces that were created or found already; True: their pods may mount folders of the node."""
        self.questions = SingleFlight()
        """What many ask the cluster at once."""
        self._watch: asyncio.Task[None] | None = None

    def start_watch(self, hub: Hub) -> None:
        """Start the watch that feeds `hub` with the cluster's jobs."""
        hub.add(self.name)
        self._watch = asyncio.create_task(self._watch_forever(hub), name=f"watch of {self.name}")

    def info(self, link: ClusterLink) -> ClusterInfo:
        """Return the cluster as clients get it: the backend's features, with what the server changes."""
        lacks = self.lacks
        lacks.pop(Feature.HISTORY, None)
        lacks |= {Feature.NAMESPACES: NAMESPACES, Feature.FILES: NO_FILES}
        if Feature.CODE in lacks:
            lacks[Feature.CODE] = NO_CODE
        return ClusterInfo(
            name=self.name,
            state=link.state,
            since=link.since,
            why=link.why,
            features=tuple(sorted(self.backend.features - lacks.keys() | {Feature.HISTORY})),
            lacks=lacks,
            fields=self.fields,
            code_limit=self.backend.code_limit if isinstance(self.backend, HasCode) else 0,
        )

    @property
    def fields(self) -> dict[str, FieldRule]:
        """Field of the JobSpec -> the rule for it, of the backend and of the server."""
        own = {
            "cluster": FieldRule(Use.OPTIONAL),
            "namespace": FieldRule(Use.REFUSED, NAMESPACES),
            "pod": FieldRule(Use.REFUSED, PATCHES),
        }
        if Feature.CODE in self.backend.missing_features:
            own["code"] = FieldRule(Use.REFUSED, NO_CODE)
        return {**self.backend.fields, **own}

    @property
    def unknown_fields(self) -> frozenset[str]:
        """The fields that no job of this cluster can have."""
        return frozenset(name for name, rule in self.fields.items() if rule.use is Use.REFUSED)

    def refused_fields(self, spec: JobSpec) -> dict[str, str]:
        """Return field -> reason, for the fields of a spec that jobs of this cluster refuse."""
        rules = self.fields
        return {name: rules[name].why for name in explicit_fields(spec) if rules[name].use is Use.REFUSED}

    def check_fields(self, spec: JobSpec) -> None:
        """Check the fields of a spec. Raises Refused, which names every field that is refused here."""
        if wrong := self.refused_fields(spec):
            raise Refused("; ".join(f"{name}: {why}" for name, why in wrong.items()), fields=wrong)

    @property
    def lacks(self) -> dict[str, str]:
        """Feature -> why jobs here do not have it."""
        own = {str(feature): why for feature, why in self.backend.missing_features.items()}
        return own | {str(feature): why for feature, why in self.withheld.items()}

    async def may_enter(self, verb: Verb, namespace: str) -> AccessDecision:
        """Tell whether the server's own login may get into jobs of a namespace; known for a minute.

        `verb`: one of `INTO_JOBS`. Raises a BackendError where the cluster does not answer.
        """
        if why := self.lacks.get(INTO_JOBS[verb]):
            return AccessDecision(False, why)

        async def ask() -> AccessDecision:
            (decision,) = await self.backend.check_access([AccessReview(verb, namespace=namespace)])
            return decision

        decision = await self.questions.ask((verb, namespace), ENTER_SECONDS, ask)
        if decision.allowed is False:
            return AccessDecision(False, f"this server may not get into pods of {self.name}; {NO_ROLE}")
        return decision

    async def aclose(self) -> None:
        """Stop the watch, and close the connections."""
        if self._watch:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        self.questions.cancel()
        await self.breaker.aclose()
        await self.backend.aclose()

    async def _watch_forever(self, hub: Hub) -> None:
        while True:
            try:
                async with contextlib.aclosing(self.backend.watch([Scope()])) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        hub.apply(self.name, batch)
                why = "the watch ended"
            except BackendError as error:
                why = fragment(error.title)
            except Exception:  # a defect in what one cluster says must not end the others' watches
                log.exception("the watch of a cluster failed", extra={"cluster": self.name})
                why = "the server failed to read what the cluster says"
            hub.set_link(ClusterLink(self.name, FreshnessState.STALE, datetime.now(UTC), why))
            await asyncio.sleep(RETRY_SECONDS)

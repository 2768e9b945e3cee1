"""LocalBackend: jobs as processes of this machine, the context `local`."""

import asyncio
import contextlib
import copy
import functools
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from backend_client.disk_errors import cannot_write, is_disk_fault
from backend_client.errors import Forbidden, NotFound, Refused, sentence
from backend_client.jobs import cut_page, matches, newest_first_key
from backend_client.local import capabilities, devices, linger, plan, slots
from backend_client.local.logs import read_logs
from backend_client.local.store import JobStore, current_user
from backend_client.local.watch import wait_until, watch
from backend_client.models import Event, Job, JobRef, JobSpec, JobState, JobUsage
from backend_client.models.fields import duration_text
from backend_client.models.names import suggest_name
from backend_client.models.secret import Secret
from backend_client.multi_user import CreatedJob, ManifestCheck, Ownership
from backend_client.paths import user_state_dir
from backend_client.protocol import (
    AccessDecision,
    AccessReview,
    Capacity,
    Choice,
    DeleteStep,
    Diagnostic,
    Feature,
    Identity,
    JobQuery,
    LogItem,
    LogQuery,
    Page,
    Plan,
    Scope,
    Verb,
    WatchEvent,
)
from backend_client.refresh import RefreshRequests
from backend_client.usage_pace import UsagePace

if TYPE_CHECKING:
    from datetime import datetime

    from backend_client.exec_session import ExecQuery, ExecSession, PortConnection
    from backend_client.gpu_nodes import GpuNodes
    from backend_client.local.exec_session import Surroundings
    from backend_client.local.usage.meter import UsageMeter
    from backend_client.output_files import FileList
    from backend_client.usage import Usage, UsageHistory, UsageSource, UsageTable
    from backend_client.why import Explanation, MayName

T = TypeVar("T")
_ANSWER_SECONDS = 20.0
"""So long a supervisor may take to do what it is asked for."""

_LOGOUT = f"This machine ends your processes when you log out, jobs too; `{linger.COMMAND}` keeps them."


class LocalBackend:
    """Jobs as processes of this machine, GPUs as slots."""

    context = "local"
    namespace = ""
    features: frozenset[Feature] = frozenset(
        {
            Feature.STOPPED_LOGS,
            Feature.UNFINISHED_LINES,
            Feature.METRICS,
            Feature.EXEC,
            Feature.PORTS,
            Feature.FILES,
        }
    )
    missing_features = capabilities.MISSING_FEATURES
    fields = capabilities.FIELDS

    def __init__(
        self,
        root: Path | None = None,
        *,
        gpus: int = 0,
        grace: float = 10.0,
        log_cap: int = 256 * 2**20,
        probe: Sequence[str] | None = None,
        nvml: Sequence[str] | None = None,
    ) -> None:
        """`root`: the state folder, named after the host. `gpus`: slots where there is no driver. `grace`:
        seconds from SIGTERM to SIGKILL. `log_cap`: bytes an attempt. For tests, `probe`: the command that
        prints the device table (see devices.py); `nvml`: the one that reads the GPUs (see usage/nvml.py).
        Raises Refused where this is not Linux.
        """
        self._refreshes = RefreshRequests()
        self._usage_pace = UsagePace()
        if not sys.platform.startswith("linux"):
            raise Refused(
                "Local jobs need Linux.", "Choose another context: this machine can still reach clusters."
            )
        path = root or default_root()
        self._store = JobStore(path)
        try:
            self._store.root.create()
        except OSError as error:
            raise _refusal(error) from None
        self.host = path.name
        self._gpus, self._grace, self._log_cap = gpus, grace, log_cap
        self._ownership: Ownership | None = None
        self._probe = devices.nvml_probe() if probe is None else tuple(probe)
        self._nvml = nvml

    def for_user(self, stamp: Ownership, inspect: ManifestCheck) -> Self:  # noqa: ARG002  processes have no objects
        """Return the same backend, which marks the jobs that it creates with an owner."""
        _ = self._meter  # before: both have the one
        mine = copy.copy(self)
        mine._ownership = stamp  # noqa: SLF001  our own copy
        return mine

    async def ensure_namespace(self, namespace: str, stamp: Ownership, *, node_folders: bool = False) -> None:
        """Do nothing: a machine has no namespaces."""

    async def not_theirs(self, spec: JobSpec, namespace: str, owner: str) -> Mapping[str, str]:  # noqa: ARG002  as above
        """Return nothing: a machine has no claims and no pull secrets."""
        return {}

    async def choices_of(self, field: str, namespace: str, owner: str) -> Sequence[Choice]:  # noqa: ARG002  as above
        """Return the machine's own choices."""
        return await self.choices(field)

    async def list_created(self, server: str) -> Mapping[str, CreatedJob]:
        """List the jobs of a server; one that no supervisor has accepted is none (see launch.py)."""
        return await _in_thread(self._created, server)

    async def whoami(self) -> Identity:
        return Identity(current_user(), f"this machine, {self.host}")

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        return [self._decide(ask) for ask in asks]

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        jobs = sorted(await _in_thread(self._find, query), key=newest_first_key)
        return cut_page(jobs, query.limit, after)

    async def get(self, ref: JobRef) -> Job:
        job = await _in_thread(self._store_of(ref.namespace).job, ref.uid)
        if job is None:
            raise NotFound(f"There is no job {ref} ({ref.uid}).")
        return job

    def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        namespaces = {scope.namespace for scope in scopes}
        stores = [store for store in self._stores() if not namespaces or {"", store.host} & namespaces]
        return self._usage_pace.follow(self._read_usages, watch(stores, self._refreshes))

    async def usage(self, ref: JobRef) -> "Usage":
        """Return what a job uses now; CPU from the second reading on, as it is what was used in between."""
        return await _in_thread(self._meter.usage, await self.get(ref))

    async def usage_history(self, ref: JobRef, since: "datetime") -> "UsageHistory":
        """Return what was seen of a job since this program was opened, an hour of it at most."""
        return await _in_thread(self._meter.history, await self.get(ref), since)

    async def usages(self, scope: Scope) -> "UsageTable":
        query = JobQuery(namespace=scope.namespace, states=frozenset({JobState.RUNNING}))
        return await _in_thread(self._meter.usages, await _in_thread(self._find, query))

    def set_usage_interval(self, seconds: float) -> None:
        """Set how often watches read what jobs use (`MultiUserBackend`)."""
        self._usage_pace.set_interval(seconds)

    async def usage_sources(self) -> "Sequence[UsageSource]":
        """Return what the figures of jobs come from (`MultiUserBackend`)."""
        return (await self.usages(Scope())).sources

    async def _read_usages(self, jobs: Sequence[Job]) -> "Mapping[str, JobUsage]":
        return (await _in_thread(self._meter.usages, jobs)).jobs

    async def refresh(self) -> None:
        self._refreshes.send()

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        """Do nothing: every supervisor reads its job's progress."""

    async def plan(self, spec: JobSpec) -> Plan:
        return await _in_thread(self._plan, spec)

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        uid = await _in_thread(self._create, spec, key, secrets)
        return await self.get(JobRef(self.context, self.host, spec.kind, spec.name, uid))

    async def stop(self, ref: JobRef) -> Job:
        job = await self._get_own(ref)
        await _in_thread(self._store.request_stop, ref.uid)
        if job.ended:
            return job
        job = await self.get(ref)
        return job if job.ended else msgspec.structs.replace(job, state=JobState.STOPPING)

    async def extend(self, ref: JobRef, max_runtime: int) -> Job:
        from backend_client.extension import check_extension  # noqa: PLC0415  a list needs none

        check_extension(await self._get_own(ref), max_runtime)
        await _in_thread(self._store.request_limit, ref.uid, max_runtime)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                job = await wait_until(
                    self._store, ref.uid, lambda job: job.ended or job.spec.max_runtime >= max_runtime
                )
        except TimeoutError:
            raise Refused(
                f"The process that looks after {ref.name} does not raise its time limit.",
                "An older traindeck started it, which cannot; or its disk takes nothing.",
            ) from None
        if job is None:
            raise NotFound(f"There is no job {ref} ({ref.uid}).")
        if job.ended:
            check_extension(job, max_runtime)
        return job

    async def resume(self, ref: JobRef) -> Job:
        raise Refused(f"{ref} cannot be resumed.", sentence(self.missing_features[Feature.RESUME]))

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:  # noqa: ARG002  the protocol's signature
        job = await self._get_own(ref)
        if not job.ended and job.state != JobState.UNKNOWN:
            yield DeleteStep(f"stopping {ref.name}; at most {self._grace:g} s")
            await self.stop(ref)
            await wait_until(self._store, ref.uid)
        yield DeleteStep(f"removing {ref.name} and its log")
        await _in_thread(self._store.end_leftovers, ref.uid)
        await _in_thread(self._store.remove, ref.uid)

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncIterator[Sequence[LogItem]]:
        job = await self.get(query.ref)
        try:
            async for items in read_logs(self._store_of(query.ref.namespace), job, query, after):
                yield items
        except OSError as error:
            raise _refusal(error) from None

    @contextlib.asynccontextmanager
    async def open_port(self, ref: JobRef, port: int, *, rank: int = 0) -> "AsyncIterator[PortConnection]":
        """Connect to a port of this machine while a job runs here (`HasPorts`)."""
        from backend_client.local.port import connect  # noqa: PLC0415  a list needs none

        if rank:
            raise Refused(f"The job {ref.name} has one rank, 0: {self.missing_features[Feature.RANKS]}.")
        job = await self._get_own(ref)
        async with connect(job, port) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def open_exec(self, query: "ExecQuery") -> AsyncGenerator["ExecSession", None]:
        """Start a command beside the processes of a job (`HasExec`)."""
        from backend_client.local.exec_session import open_session  # noqa: PLC0415  a list needs none

        job = await self._get_own(query.ref)
        if query.rank:
            raise NotFound(f"There is no rank {query.rank} of {job.name}: a local job is one process.")
        async with open_session(query, await _in_thread(self._surroundings, job)) as session:
            yield session

    async def output_files(self, ref: JobRef, path: str = "") -> "FileList":
        """List a folder of a job's outputs, also after its end (`HasFiles`)."""
        from backend_client.local.list_files import list_files  # noqa: PLC0415  a list needs none
        from backend_client.output_files import FileList, outputs_of, path_within  # noqa: PLC0415  as above

        whole = path_within(outputs_of(await self.get(ref)), path)
        return FileList(folder=whole, files=await _in_thread(list_files, whole))

    def _surroundings(self, job: Job) -> "Surroundings":
        from backend_client.exec_session import not_running  # noqa: PLC0415  as above
        from backend_client.local.exec_session import Surroundings  # noqa: PLC0415  as above
        from backend_client.local.job_processes import environment  # noqa: PLC0415  as above

        leader = self._store.leader(job.ref.uid)
        if leader is None:
            raise not_running(job)
        env = environment(leader)
        if "TRAINDECK_JOB" not in env:
            raise Refused(f"Nothing is known of the environment of {job.name}: its process wrote over it.")
        shown = {name: value for name, value in env.items() if name not in job.spec.secrets}
        return Surroundings(shown, job.spec.workdir, leader)

    async def events(self, ref: JobRef) -> Sequence[Event]:
        job = await self.get(ref)
        return await asyncio.to_thread(self._store_of(job.ref.namespace).events, job.ref.uid)

    async def choices(self, field: str, *, namespace: str = "", cluster: str = "") -> Sequence[Choice]:  # noqa: ARG002  the protocol's signature
        return ()

    async def explain(self, ref: JobRef) -> "Explanation":
        from backend_client.why import anyone  # noqa: PLC0415  a list needs none

        return await self.explain_for(ref, anyone)

    async def explain_for(self, ref: JobRef, may_name: "MayName") -> "Explanation":
        """Explain to somebody who may not know of all jobs (`MultiUserBackend`)."""
        from backend_client.local import explain  # noqa: PLC0415  a list needs none
        from backend_client.logs.failure_card import with_failure  # noqa: PLC0415  as above

        job = await self.get(ref)
        store = self._store_of(job.ref.namespace)
        explanation = await _in_thread(explain.explain, store, job, self._devices, may_name)
        return await with_failure(explanation, job, self.logs)

    async def nodes(self, scope: Scope) -> "GpuNodes":  # noqa: ARG002  there is one
        return await _in_thread(self._gpu_nodes)

    async def capacity(self, scope: Scope) -> Capacity:  # noqa: ARG002  there is one
        from backend_client.gpu_sums import pools_of  # noqa: PLC0415  as `_gpu_nodes`

        return Capacity(pools_of((await _in_thread(self._gpu_nodes)).nodes))

    async def aclose(self) -> None:
        """End the process that reads the GPUs, where one was asked for."""
        if "_meter" in self.__dict__:
            await asyncio.to_thread(self._meter.close)

    @functools.cached_property
    def _meter(self) -> "UsageMeter":
        from backend_client.local.usage.meter import UsageMeter  # noqa: PLC0415  a list needs none
        from backend_client.local.usage.reader import CardReader, nvml_command  # noqa: PLC0415  as above

        return UsageMeter(self._store, CardReader(nvml_command() if self._nvml is None else self._nvml))

    def _stores(self) -> Sequence[JobStore]:
        """List our store, and those of other hosts that keep their state beside it (a shared home)."""
        others = (path for path in sorted(self._store.root.path.parent.iterdir()) if (path / "live").is_dir())
        return [self._store, *(JobStore(path, foreign=True) for path in others if path.name != self.host)]

    def _store_of(self, host: str) -> JobStore:
        return next((store for store in self._stores() if store.host == host), self._store)

    def _find(self, query: JobQuery) -> Sequence[Job]:
        stores = [store for store in self._stores() if query.namespace in ("", store.host)]
        return [job for store in stores for job in store.jobs(store.uids()) if matches(query, job)]

    def _decide(self, ask: AccessReview) -> AccessDecision:
        if ask.verb == Verb.RESUME:
            return AccessDecision(False, self.missing_features[Feature.RESUME])
        theirs = ask.ref is not None and ask.ref.namespace != self.host and ask.verb != Verb.LOGS
        if theirs and ask.ref:
            return AccessDecision(False, f"runs on {ask.ref.namespace}; log in there to act on it")
        return AccessDecision(True)

    async def _get_own(self, ref: JobRef) -> Job:
        job = await self.get(ref)
        if job.read_only:
            raise Forbidden(f"{ref.name} {job.read_only}.")
        return job

    def _devices(self) -> Sequence[devices.Device]:
        return devices.list_devices(self._probe, self._gpus)

    def _create(self, spec: JobSpec, key: str, secrets: Mapping[str, Secret]) -> str:
        from backend_client.local import launch  # noqa: PLC0415  dear, and not needed to list jobs

        spec = plan.with_workdir(spec)
        ids = [device.id for device in self._devices()]
        plan.check_spec(spec, self.host, len(ids))
        code = plan.code_facts(spec)
        launch_config = {
            "env": plan.environment(spec, secrets, code.commit if code else ""),
            "slots": ids,
            "probe": self._probe,
            "grace": self._grace,
            "log_cap": self._log_cap,
            "limit": duration_text(spec.max_runtime),
        }
        return launch.create(
            self._store, spec, key=key, launch_config=launch_config, ownership=self._ownership, code=code
        )

    def _created(self, server: str) -> Mapping[str, CreatedJob]:
        records = {uid: record for uid in self._store.uids() if (record := self._store.accepted(uid))}
        return {
            record.key: CreatedJob(record.job(self.host).ref, held=False)
            for record in records.values()
            if record.server == server
        }

    def _plan(self, spec: JobSpec) -> Plan:
        spec = plan.with_workdir(spec)
        errors = plan.spec_errors(spec) | plan.refused_fields(spec, self.host, len(self._devices()))
        taken = self._store.names()
        if spec.name in taken:
            errors["name"] = f"there is a job {spec.name} already"
        named = msgspec.structs.replace(spec, name=spec.name or suggest_name(spec.command, taken))
        first = not (self._store.root.path / "used").exists()
        question = (
            f"Jobs of the context local run on this machine, {self.host}, as {current_user()}. Run it here?"
        )
        return Plan(
            name=named.name,
            yaml=plan.plan_yaml(named, self.host, self._store.root.path),
            place=f"this machine, {self.host}",
            errors=tuple(Diagnostic(field, words) for field, words in errors.items()),
            warnings=(Diagnostic("code", plan.NOT_FROZEN),) if spec.code else (),
            question=question if first else "",
            advice=_LOGOUT if first and not self._ownership and linger.jobs_end_at_logout() else "",
        )

    def _gpu_nodes(self) -> "GpuNodes":
        from backend_client.gpu_nodes import GpuNodes  # noqa: PLC0415  a list needs none
        from backend_client.local.gpu_lines import gpu_lines  # noqa: PLC0415  as above

        table = devices.list_all(self._probe, self._gpus)
        holders = slots.held(self._store.root, [device.id for device in table if not device.broken])
        jobs = {
            job.ref.uid: job for job in self._store.jobs(list(dict.fromkeys(filter(None, holders.values()))))
        }
        return GpuNodes(gpu_lines(self.host, table, holders, jobs))


async def _in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run what waits for the disk in a thread: the event loop must not wait. Raises Refused for OSError."""
    try:
        return await asyncio.to_thread(work, *args)
    except OSError as error:
        raise _refusal(error) from None


def _refusal(error: OSError) -> Refused:
    if is_disk_fault(error):
        return cannot_write(error)
    where = f": {error.filename}" if error.filename else ""
    return Refused(f"This machine does not let us: {error.strerror or error}{where}.")


def default_root() -> Path:
    """Return $XDG_STATE_HOME/traindeck/local/<host>."""
    return user_state_dir() / "local" / os.uname().nodename

"""A server whose cluster, rows and people say hostile things, to a browser: markup and templates too."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace
from sqlalchemy import select, update

from backend import audit
from backend.auth.caller import Caller
from backend.auth.users import get_user
from backend.clusters.hub import Owner
from backend.db.models import AlertRow, AlertWishesRow, AttemptRow, ChannelRow, JobRow, OutboxRow, Token, User
from backend_client.alerts.alert import DeliveryState
from backend_client.models import JobState
from backend_client.multi_user import CreatedJob
from backend_client.protocol import Feature
from backend_client.server.roles import Role
from tests.support.hostile import TEXTS, Hostile

SUM = 7 * 191919
MARKUP = {
    "short": '"><svg onload=alert(1)>\x1b[31m\u202e',
    "image": "<img src=x onerror=alert(1)>",
    "script": "<script>alert(1)</script>",
    "address": "javascript:alert(1)",
    "text area": "</textarea></title></style><script>alert(1)</script>",
    "quotes": '\' onmouseover=\'alert(1)\' " onfocus="alert(1)" autofocus=" `',
    "templates": "{{7*191919}} ${7*191919} {%raw%}",
    "entities": "&lt;b&gt;alert(1)&lt;/b&gt; &#x202e;",
}
# Half a surrogate pair is in no JSON of a cluster and in no row: what can be kept is what can be shown.
SAID = MARKUP | {name: text.replace("\ud800", "") for name, text in TEXTS.items()}
EVERYTHING = " ".join(SAID.values())
SHORT = " ".join(MARKUP.values())
PERSON = SHORT.replace("/", "|")
AGO = timedelta(hours=1)


class HostileCluster(Hostile):
    """The cluster `local` of a server. A job's name is a part of an address, where a slash ends it."""

    def __init__(self) -> None:
        super().__init__(SAID)
        self.context = "local"
        now = datetime.now(UTC)
        self.jobs["live"] = replace(
            self.job,
            ref=replace(self.job.ref, uid="live"),
            state=JobState.RUNNING,
            created=now,
            started=now - AGO,
        )
        for uid, job in self.jobs.items():
            name = job.name.replace("/", "|").replace("\0", "")[:400]
            self.jobs[uid] = replace(job, ref=replace(job.ref, context="local", name=name))
        self.features -= {Feature.RESUME}
        self.explanations["live"] = self.explanations["u"]

    async def explain_for(self, ref, _may_name):
        return await self.explain(ref)

    async def choices_of(self, field, _namespace, _owner):
        return await self.choices(field)

    async def usage_sources(self):
        return self.used["u"].sources

    async def list_created(self, _server):
        return {uid: CreatedJob(job.ref, held=False) for uid, job in self.jobs.items()}

    def for_user(self, _stamp, _inspect):
        return self

    async def ensure_namespace(self, *_args, **_more):
        pass

    async def not_theirs(self, *_args) -> Mapping[str, str]:
        return {}

    def set_usage_interval(self, _seconds):
        pass


async def make_hostile(app):
    """Put a HostileCluster in the place of this machine, and its words into the rows; return it."""
    runtime = app.state.runtime
    cluster, backend = runtime.jobs.clusters.get("local"), HostileCluster()
    cluster._watch.cancel()
    before, cluster.backend = cluster.backend, backend
    await before.aclose()
    async with runtime.database.write() as session:
        ann = await get_user(session, "ann")
        for job in backend.jobs.values():
            session.add(_row(job, ann.id))
        live = backend.jobs["live"]
        gone = replace(live, ref=replace(live.ref, uid="gone"), state=JobState.FAILED)
        session.add(_row(gone, ann.id, deleted=gone.created, finished=gone.created, reason=EVERYTHING))
        await session.flush()
        await _tell_alerts(session, ann.id)
        session.add(
            User(
                name=PERSON,
                name_key=PERSON.casefold(),
                password_hash="",
                role=Role.RESEARCHER,
                team=EVERYTHING,
                created=ann.created,
            )
        )
        for user in (ann, await get_user(session, "root")):
            session.add(_channel(user.id, user.created))
            wishes = msgspec.json.encode(backend.wishes).decode()
            session.add(AlertWishesRow(user_id=user.id, wishes=wishes))
        await session.execute(update(Token).values(name=EVERYTHING))
        caller = Caller(
            user_id=ann.id, name=EVERYTHING, role=Role.ADMIN, token_id=0, address=EVERYTHING, request_id=SHORT
        )
        await audit.record(session, caller, SHORT, EVERYTHING, cluster=EVERYTHING, result=EVERYTHING)
    for job in backend.jobs.values():
        runtime.jobs.hub.claim(Owner(ann.id, "ann"), job)
    cluster.start_watch(runtime.jobs.hub)
    return backend


def _row(job, user_id, **more):
    ref = job.ref
    fields = {
        "key": ref.uid,
        "uid": ref.uid,
        "cluster": "local",
        "namespace": "",
        "kind": ref.kind,
        "name": ref.name,
        "spec": msgspec.json.encode(job.spec).decode(),
        "state": job.state,
        "reason": job.reason,
        "created": job.created,
        "user_id": user_id,
    }
    return JobRow(**fields | more)


async def _tell_alerts(session, user_id):
    now = datetime.now(UTC)
    job_id = await session.scalar(select(JobRow.id).where(JobRow.uid == "u"))
    alert = AlertRow(rule=SHORT, job_id=job_id, attempt=0, episode=9, sentence=EVERYTHING, fired=now)
    channel = _channel(user_id, now, name=f"second {EVERYTHING}")
    session.add_all((alert, channel))
    await session.flush()
    session.add(
        OutboxRow(
            alert_id=alert.id,
            channel_id=channel.id,
            key="a",
            message="{}",
            state=DeliveryState.FAILED,
            due=now,
            why=EVERYTHING,
            created=now,
            last_try=now,
        )
    )
    session.add(
        AttemptRow(
            job_id=job_id,
            cluster=EVERYTHING,
            pod_uid="p",
            number=1,
            rank=0,
            pod=EVERYTHING,
            node=EVERYTHING,
            gpus=1,
            gpu_type=EVERYTHING,
            queue=EVERYTHING,
            allocated=now - AGO,
            last_seen=now,
            end="",
        )
    )


def _channel(user_id, now, name=SHORT):
    return ChannelRow(user_id=user_id, name=name, kind="webhook", shown=EVERYTHING, address=b"", created=now)

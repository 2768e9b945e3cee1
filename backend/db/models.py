"""The tables (SQLAlchemy). A change here needs a migration; a test compares both. Times are aware UTC."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also in SQLite, which knows none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        return value and value.replace(tzinfo=UTC) if value and not value.tzinfo else value


LongId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts only an INTEGER primary key by itself."""


class Base(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map: Any = {datetime: UtcDateTime, str: Text}  # noqa: RUF012  SQLAlchemy reads it so


EVERY_TEAM = "*"


class User(Base):
    """A person. Never deleted, only disabled: jobs and audit name them."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)
    """The name casefolded: alice and Alice are one."""
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime]
    max_gpus: Mapped[int | None]
    """GPUs at a time; None is the server's own setting."""
    max_jobs: Mapped[int | None]
    """Jobs at a time; None is the server's own setting."""
    max_pods: Mapped[int | None]
    max_cpus: Mapped[int | None]
    max_memory_gib: Mapped[int | None]
    """These too: at a time; None is the server's own setting."""
    team: Mapped[str] = mapped_column(default="", server_default="")
    """Viewers see the jobs of their team; `EVERY_TEAM` lets a viewer see all."""
    namespace: Mapped[str] = mapped_column(default="")
    """The namespace of this person's jobs; "" until the first one is made."""


class Token(Base):
    """A login. Only its SHA-256 is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    """The end whatever happens; an unused token ends before."""
    last_used: Mapped[datetime]
    """To the minute."""
    revoked: Mapped[datetime | None]


class Cluster(Base):
    """A cluster that an admin registered."""

    __tablename__ = "clusters"

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    server: Mapped[str]
    ca: Mapped[str]
    credential: Mapped[bytes]
    """Encrypted."""
    namespace: Mapped[str] = mapped_column(default="")
    """The one namespace of all jobs there; "" is one for each person."""
    created: Mapped[datetime]


class JobRow(Base):
    """A job: its owner, and how it went. The row stays after the job is deleted."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("cluster", "uid"),)

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    uid: Mapped[str | None]
    """Of the cluster's object; None until it is known."""
    key: Mapped[str] = mapped_column(unique=True)
    """Random; the objects carry it, so that row and objects find each other after a crash."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    cluster: Mapped[str]
    namespace: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(16))
    spec: Mapped[str]
    """JSON of the JobSpec; names of secrets only."""
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(default="")
    gpus: Mapped[int] = mapped_column(default=0)
    """Of all its nodes or replicas together."""
    pods: Mapped[int] = mapped_column(default=0, server_default="0")
    millicpus: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    memory_mib: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """These of all its nodes or replicas together, too."""
    created: Mapped[datetime] = mapped_column(index=True)
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    deleting: Mapped[datetime | None]
    """Since when it is to be deleted."""
    deleted: Mapped[datetime | None]
    """Since when nothing of it is left in the cluster."""
    gpu_seconds: Mapped[float] = mapped_column(default=0.0)
    """Of jobs from before `attempts` were kept; nothing is added any more."""
    counted: Mapped[datetime | None]
    """Until when `gpu_seconds` has counted; None before anything was."""
    exit_code: Mapped[int | None]
    alerted_state: Mapped[str | None] = mapped_column(String(16))
    """Its state when the rules of alerts had last seen it, with all that they told of it; None: never."""


class StartEstimate(Base):
    """A range of start times that a waiting job was told, and what came."""

    __tablename__ = "start_estimates"
    __table_args__ = (Index("ix_start_estimates_queue", "cluster", "queue", "settled"),)

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    cluster: Mapped[str]
    queue: Mapped[str]
    """The ClusterQueue."""
    made: Mapped[datetime]
    earliest: Mapped[datetime]
    latest: Mapped[datetime]
    widening: Mapped[float]
    """The queue's factor when it was made."""
    version: Mapped[int]
    """Of the method that made it."""
    first: Mapped[bool]
    """The first of its wait: only those are counted, or one long wait would count often."""
    shown: Mapped[bool]
    """False while the queue's ranges were wrong too often to be shown."""
    started: Mapped[datetime | None]
    settled: Mapped[datetime | None]
    """Since when `hit` is known."""
    hit: Mapped[bool | None]
    """Whether the job started within the range."""
    voided: Mapped[datetime | None]
    """Since when it counts for nothing: the job was put back into the queue, stopped or deleted."""


class AttemptRow(Base):
    """What one attempt of one rank held: a pod, from its binding until it was gone; by its clock."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("cluster", "pod_uid"),)

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    cluster: Mapped[str]
    pod_uid: Mapped[str]
    """Of a job without pods: the job's uid and the attempt's number."""
    number: Mapped[int]
    """Of the last start of its container: a pod may have several."""
    rank: Mapped[int]
    pod: Mapped[str]
    node: Mapped[str]
    gpus: Mapped[int]
    gpu_type: Mapped[str]
    queue: Mapped[str]
    allocated: Mapped[datetime] = mapped_column(index=True)
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    """When its command ended."""
    between: Mapped[float] = mapped_column(default=0.0)
    """Of the time from `started` to `finished`: seconds between two starts of its container."""
    released: Mapped[datetime | None] = mapped_column(index=True)
    """When its GPUs were free again; None while they are held."""
    released_lo: Mapped[datetime | None]
    """The earliest time at which that may have been, where nobody saw it; None where it is known."""
    last_seen: Mapped[datetime]
    """To the minute, by a clock that goes with the cluster's."""
    sampled: Mapped[datetime | None]
    """Until when its use was added up: of two servers that add it, one wins."""
    end: Mapped[str] = mapped_column(String(16))
    """"", "succeeded", "failed", "preempted", "evicted", "stopped", "lost"."""


class UsageHour(Base):
    """What one attempt used in one hour of UTC: sums, so that hours add up to days and reports."""

    __tablename__ = "usage_hours"

    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    samples: Mapped[int]
    """GPU samples seen; one of 8 GPUs counts 8."""
    seconds: Mapped[float]
    """GPU-seconds that the samples stand for."""
    busy: Mapped[float]
    """GPU-seconds, weighted with the utilisation."""
    idle: Mapped[float]
    """GPU-seconds in which a GPU did nothing."""
    wall: Mapped[float]
    """Seconds for which the GPUs of the attempt were measured, whatever their number."""
    least: Mapped[float]
    """Of `wall`, weighted with the utilisation of the GPU that did least."""
    all_idle: Mapped[float]
    """Of `wall`: when all GPUs of the job did nothing."""
    histogram: Mapped[str]
    """JSON: GPU-seconds in each of 20 steps of utilisation, for percentiles."""
    memory_peak: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes, of the fullest GPU."""
    memory_total: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes, of the largest GPU."""
    memory_share: Mapped[float | None]
    """The largest share of a GPU's memory that was used."""
    memory_histogram: Mapped[str]
    """JSON: GPU-seconds in each of 20 steps of the share of memory."""
    energy: Mapped[float | None]
    """Joules."""
    cpu_seconds: Mapped[float | None]
    cpu_covered: Mapped[float]
    """Seconds for which CPU was told."""
    rss_peak: Mapped[int | None] = mapped_column(BigInteger)


class AlertRow(Base):
    """One episode of one rule on one attempt of a job."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("rule", "job_id", "attempt", "episode"),)

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    rule: Mapped[str] = mapped_column(String(32))
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    attempt: Mapped[int]
    episode: Mapped[int]
    sentence: Mapped[str]
    fired: Mapped[datetime] = mapped_column(index=True)
    recovered: Mapped[datetime | None]
    acknowledged: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(default="")
    snoozed_until: Mapped[datetime | None]


class AlertWishesRow(Base):
    """What a person wants to be told."""

    __tablename__ = "alert_wishes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    wishes: Mapped[str]
    """JSON of AlertWishes, without channels."""


class ChannelRow(Base):
    """Where a person wants alerts sent."""

    __tablename__ = "alert_channels"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(String(16))
    shown: Mapped[str]
    address: Mapped[bytes]
    """Encrypted; with a webhook's signing key."""
    created: Mapped[datetime]


class OutboxRow(Base):
    """A message to be sent, written with the change that it tells of: at least once, and once a key."""

    __tablename__ = "alert_outbox"
    __table_args__ = (
        UniqueConstraint("key", "channel_id"),
        Index("ix_alert_outbox_due", "state", "due"),
    )

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    """None for a message that only tries a channel."""
    channel_id: Mapped[int] = mapped_column(ForeignKey("alert_channels.id"), index=True)
    key: Mapped[str]
    """Says what it tells of: the alert, and whether it fired or recovered. Receivers get it."""
    message: Mapped[str]
    """JSON."""
    state: Mapped[str] = mapped_column(String(16))
    """A DeliveryState; "digest": `digest_id` tells it; "dropped": acknowledged before it was sent."""
    due: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    last_try: Mapped[datetime | None]
    why: Mapped[str] = mapped_column(default="")
    leased_until: Mapped[datetime | None]
    """A sender has it until then."""
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("alert_outbox.id"), index=True)
    """The message that tells this one with others, in its stead."""
    created: Mapped[datetime]


class Idempotency(Base):
    """An Idempotency-Key of a user, and the job that it created."""

    __tablename__ = "idempotency"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    answer: Mapped[str | None]
    """Never read nor written; the first schema has the column."""
    created: Mapped[datetime] = mapped_column(index=True)


class AuditRow(Base):
    """One line of the audit log. `digest` covers the line before, so a changed or missing line shows."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(LongId, primary_key=True)
    time: Mapped[datetime]
    user: Mapped[str]
    verb: Mapped[str]
    object: Mapped[str]
    cluster: Mapped[str]
    result: Mapped[str]
    address: Mapped[str]
    request_id: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))


class Meta(Base):
    """What the server knows of itself: server_id, the set-up code's digest."""

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]

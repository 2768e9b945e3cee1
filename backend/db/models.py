"""The tables (SQLAlchemy). A change here needs a migration; a test compares both. Times are aware UTC."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, ForeignKey, Integer, String, Text, UniqueConstraint
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
    created: Mapped[datetime] = mapped_column(index=True)
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    deleting: Mapped[datetime | None]
    """Since when it is to be deleted."""
    deleted: Mapped[datetime | None]
    """Since when nothing of it is left in the cluster."""
    gpu_seconds: Mapped[float] = mapped_column(default=0.0)
    counted: Mapped[datetime | None]
    """Until when `gpu_seconds` has counted; None before anything was."""
    exit_code: Mapped[int | None]


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

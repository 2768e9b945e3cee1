"""The first tables."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LongId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id() -> sa.Column[Any]:
    return sa.Column("id", LongId, primary_key=True)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null)


def _word(name: str, length: int = 16) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=null)


def _user(**options: Any) -> sa.Column[Any]:
    return sa.Column("user_id", LongId, sa.ForeignKey("users.id"), nullable=False, **options)


def upgrade() -> None:
    """Create all tables."""
    _people()
    _work()
    op.create_table(
        "audit",
        *(_id(), _time("time")),
        *map(_text, ("user", "verb", "object", "cluster", "result", "address", "request_id")),
        _word("digest", 64),
    )
    meta = op.create_table("meta", sa.Column("key", sa.Text, primary_key=True), _text("value"))
    op.bulk_insert(meta, [{"key": "server_id", "value": uuid4().hex}, {"key": "audit_head", "value": ""}])
    _append_only()


def _people() -> None:
    op.create_table(
        "users",
        *(_id(), *map(_text, ("name", "name_key", "password_hash")), _word("role")),
        *(sa.Column("disabled", sa.Boolean, nullable=False), _time("created")),
        *(_number("max_gpus", null=True), _number("max_jobs", null=True), _text("namespace")),
        sa.UniqueConstraint("name_key"),
    )
    op.create_table(
        "tokens",
        *(_id(), _user(index=True), _word("digest", 64), _text("name")),
        *(*map(_time, ("created", "expires", "last_used")), _time("revoked", null=True)),
        sa.UniqueConstraint("digest"),
    )


def _work() -> None:
    op.create_table(
        "clusters",
        *(_id(), *map(_text, ("name", "server", "ca"))),
        *(sa.Column("credential", sa.LargeBinary, nullable=False), _text("namespace"), _time("created")),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "jobs",
        *(_id(), _text("uid", null=True), _text("key"), _user(index=True), _text("cluster")),
        *(_text("namespace"), sa.Column("name", sa.Text, nullable=False, index=True), _word("kind")),
        *(_text("spec"), _word("state"), _text("reason"), _number("gpus")),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, index=True),
        *(_time(name, null=True) for name in ("started", "finished", "deleting", "deleted", "counted")),
        *(sa.Column("gpu_seconds", sa.Double, nullable=False), _number("exit_code", null=True)),
        *(sa.UniqueConstraint("cluster", "uid"), sa.UniqueConstraint("key")),
    )
    op.create_table(
        "idempotency",
        *(_user(primary_key=True), sa.Column("key", sa.Text, primary_key=True), _word("body_hash", 64)),
        *(sa.Column("job_id", LongId, sa.ForeignKey("jobs.id"), nullable=True), _text("answer", null=True)),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, index=True),
    )


def _append_only() -> None:
    """Make the database itself refuse to change or remove a line of the audit log."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )

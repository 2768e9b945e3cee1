"""What attempts held and used; alerts, where they are sent, and what waits to be sent."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_LONG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)
_SECONDS = ("seconds", "busy", "idle", "wall", "least", "all_idle")


def upgrade() -> None:
    """Create the tables."""
    _usage()
    _alerts()


def _usage() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", _LONG_ID, primary_key=True),
        sa.Column("job_id", _LONG_ID, sa.ForeignKey("jobs.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("cluster", "pod_uid")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("number", "rank")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("pod", "node")),
        sa.Column("gpus", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("gpu_type", "queue")),
        sa.Column("allocated", _TIME, nullable=False),
        *(
            sa.Column(name, _TIME, nullable=True)
            for name in ("started", "finished", "released", "released_lo", "sampled")
        ),
        sa.Column("between", sa.Double, nullable=False),
        sa.Column("last_seen", _TIME, nullable=False),
        sa.Column("end", sa.String(16), nullable=False),
        sa.UniqueConstraint("cluster", "pod_uid"),
    )
    op.create_index("ix_attempts_job_id", "attempts", ["job_id"])
    op.create_index("ix_attempts_allocated", "attempts", ["allocated"])
    op.create_index("ix_attempts_released", "attempts", ["released"])
    op.create_table(
        "usage_hours",
        sa.Column("attempt_id", _LONG_ID, sa.ForeignKey("attempts.id"), primary_key=True),
        sa.Column("hour", _TIME, primary_key=True),
        sa.Column("samples", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in _SECONDS),
        sa.Column("histogram", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=True) for name in ("memory_peak", "memory_total")),
        sa.Column("memory_share", sa.Double, nullable=True),
        sa.Column("memory_histogram", sa.Text, nullable=False),
        *(sa.Column(name, sa.Double, nullable=True) for name in ("energy", "cpu_seconds")),
        sa.Column("cpu_covered", sa.Double, nullable=False),
        sa.Column("rss_peak", sa.BigInteger, nullable=True),
    )


def _alerts() -> None:
    op.add_column("jobs", sa.Column("alerted_state", sa.String(16), nullable=True))
    op.create_table(
        "alerts",
        sa.Column("id", _LONG_ID, primary_key=True),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("job_id", _LONG_ID, sa.ForeignKey("jobs.id"), nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempt", "episode")),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("fired", _TIME, nullable=False),
        *(sa.Column(name, _TIME, nullable=True) for name in ("recovered", "acknowledged")),
        sa.Column("acknowledged_by", sa.Text, nullable=False),
        sa.Column("snoozed_until", _TIME, nullable=True),
        sa.UniqueConstraint("rule", "job_id", "attempt", "episode"),
    )
    op.create_index("ix_alerts_job_id", "alerts", ["job_id"])
    op.create_index("ix_alerts_fired", "alerts", ["fired"])
    op.create_table(
        "alert_wishes",
        sa.Column("user_id", _LONG_ID, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("wishes", sa.Text, nullable=False),
    )
    op.create_table(
        "alert_channels",
        sa.Column("id", _LONG_ID, primary_key=True),
        sa.Column("user_id", _LONG_ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("address", sa.LargeBinary, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.UniqueConstraint("user_id", "name"),
    )
    op.create_index("ix_alert_channels_user_id", "alert_channels", ["user_id"])
    op.create_table(
        "alert_outbox",
        sa.Column("id", _LONG_ID, primary_key=True),
        sa.Column("alert_id", _LONG_ID, sa.ForeignKey("alerts.id"), nullable=True),
        sa.Column("channel_id", _LONG_ID, sa.ForeignKey("alert_channels.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key", "message")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due", _TIME, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("last_try", _TIME, nullable=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("leased_until", _TIME, nullable=True),
        sa.Column("digest_id", _LONG_ID, sa.ForeignKey("alert_outbox.id"), nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.UniqueConstraint("key", "channel_id"),
    )
    op.create_index("ix_alert_outbox_alert_id", "alert_outbox", ["alert_id"])
    op.create_index("ix_alert_outbox_channel_id", "alert_outbox", ["channel_id"])
    op.create_index("ix_alert_outbox_digest_id", "alert_outbox", ["digest_id"])
    op.create_index("ix_alert_outbox_due", "alert_outbox", ["state", "due"])

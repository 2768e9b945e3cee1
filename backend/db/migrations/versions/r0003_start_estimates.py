"""The ranges of start times that waiting jobs were told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_LONG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "start_estimates",
        sa.Column("id", _LONG_ID, primary_key=True),
        sa.Column("job_id", _LONG_ID, sa.ForeignKey("jobs.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("cluster", "queue")),
        *(sa.Column(name, _TIME, nullable=False) for name in ("made", "earliest", "latest")),
        sa.Column("widening", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("first", "shown")),
        *(sa.Column(name, _TIME, nullable=True) for name in ("started", "settled", "voided")),
        sa.Column("hit", sa.Boolean, nullable=True),
    )
    op.create_index("ix_start_estimates_job_id", "start_estimates", ["job_id"])
    op.create_index("ix_start_estimates_queue", "start_estimates", ["cluster", "queue", "settled"])

"""Quotas of pods, CPUs and memory, and teams. What lives already is counted by its spec."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from backend_client.kubernetes.resources.quantities import parse_quantity

revision = "0002"
down_revision = "0001"

_JOBS = sa.table(
    "jobs",
    *(sa.column(name) for name in ("id", "kind", "spec", "finished", "pods", "millicpus", "memory_mib")),
)


def upgrade() -> None:
    """Add the columns."""
    for name in ("max_pods", "max_cpus", "max_memory_gib"):
        op.add_column("users", sa.Column(name, sa.Integer, nullable=True))
    op.add_column("users", sa.Column("team", sa.Text, nullable=False, server_default=""))
    for name, kind in (("pods", sa.Integer), ("millicpus", sa.BigInteger), ("memory_mib", sa.BigInteger)):
        op.add_column("jobs", sa.Column(name, kind, nullable=False, server_default="0"))
    _count_what_lives()


def _count_what_lives() -> None:
    connection = op.get_bind()
    living = sa.select(_JOBS.c.id, _JOBS.c.kind, _JOBS.c.spec).where(_JOBS.c.finished.is_(None))
    for row in connection.execute(living).all():
        spec = _spec(row.spec)
        pods = int(spec.get("replicas" if row.kind == "deployment" else "nodes", 1))
        memory = parse_quantity(spec.get("memory", "")) + parse_quantity(spec.get("shm_size", ""))
        values = {
            "pods": pods,
            "millicpus": min(int(parse_quantity(spec.get("cpu", "")) * 1000) * pods, 2**53),
            "memory_mib": min(int(memory / 2**20) * pods, 2**53),
        }
        connection.execute(_JOBS.update().where(_JOBS.c.id == row.id).values(**values))


def _spec(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""What the database knows, as metrics: what became of alerts' messages."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models import OutboxRow
from backend.metrics.text_format import Family, Sample
from backend_client.alerts.alert import DeliveryState


class RowFigures(Struct, frozen=True):
    """The figures that are read from the database."""

    deliveries: Sequence[tuple[str, int]] = ()
    due: datetime | None = None
    """Since when the message that is overdue longest is."""


async def read_figures(session: AsyncSession, now: datetime) -> RowFigures:
    """Read the figures; each is one query."""
    sent = select(OutboxRow.state, func.count()).group_by(OutboxRow.state)
    due = select(func.min(OutboxRow.due)).where(
        OutboxRow.state == str(DeliveryState.WAITING), OutboxRow.due <= now
    )
    return RowFigures(
        [(state, count) for state, count in await session.execute(sent)],
        await session.scalar(due),
    )


def row_families(figures: RowFigures | None, now: datetime) -> list[Family]:
    """Return the families of the figures; None where the database does not answer: then there are none."""
    known = figures or RowFigures()
    deliveries = dict.fromkeys(map(str, DeliveryState), 0) | dict(known.deliveries) if figures else {}
    overdue = max(0.0, (now - known.due).total_seconds()) if known.due else 0.0
    return [
        Family(
            "traindeck_database_up",
            "gauge",
            "1 where the database has answered the last question of this page, else 0.",
            [Sample(figures is not None)],
        ),
        Family(
            "traindeck_deliveries",
            "gauge",
            "Messages of alerts that are kept, by what became of them.",
            [Sample(count, {"state": state}) for state, count in deliveries.items()],
        ),
        Family(
            "traindeck_delivery_overdue_seconds",
            "gauge",
            "For how long the message that should have been sent first has waited beyond its time.",
            [Sample(overdue)] if figures else [],
        ),
    ]

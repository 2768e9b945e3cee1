"""Migrate a database's schema to the newest version in one transaction, with alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

LOCK = 7_236_451_190
"""PostgreSQL's advisory lock of our migrations; any fixed number."""


def config(connection: Connection | None = None) -> Config:
    """Return alembic's configuration; `connection` is the one that it works on."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the missing migrations, in the transaction that `connection` has begun. Others wait for its end."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    command.upgrade(config(connection), to)

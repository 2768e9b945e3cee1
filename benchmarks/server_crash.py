"""Whether a server that is killed in the middle of its writes has lost one that it acknowledged."""

import tempfile
from pathlib import Path

from tests.backend.support import crash_writers
from tests.backend.support.postgres import Postgres, binaries

KILLS = 200


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = crash_writers.rounds(f"sqlite:///{folder}/traindeck.db", Path(folder), KILLS)
    return [_row("SQLite", sqlite), *_postgresql()]


def _postgresql() -> list[tuple[str, str, str]]:
    where = binaries()
    if not where:
        return [("PostgreSQL: not here", "-", "-")]
    server = Postgres(where, durable=True)
    server.start()

    def cut() -> None:
        server.kill()
        server.start()

    try:
        with tempfile.TemporaryDirectory() as folder:
            report = crash_writers.rounds(server.fresh("crash"), Path(folder), KILLS, cut)
    finally:
        server.remove()
    return [_row("PostgreSQL (every tenth time the database too)", report)]


def _row(name: str, report: crash_writers.Report) -> tuple[str, str, str]:
    what = f"{report.kills} x kill -9 under {crash_writers.WRITERS} writers, {name}: acknowledged writes lost"
    return what, f"{report.lost} of {report.acknowledged:,}", "0"

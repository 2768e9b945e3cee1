"""Pages read and write by the services that the API's tests try on both databases: here one is enough."""

import contextlib
import shutil
import sqlite3
import uuid

import pytest

from tests.backend.routes.conftest import ann, bob, root, settings

__all__ = ["ann", "bob", "root", "settings"]


@pytest.fixture
def url(migrated_file, tmp_path):
    """Return the URL of a SQLite database of a server that has never run."""
    path = shutil.copy(migrated_file, tmp_path / "traindeck.db")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'server_id'", [uuid.uuid4().hex])
    return f"sqlite:///{path}"

"""What goes wrong with a database at the start, each as one sentence that says what to do."""

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import URL

from backend.db.postgres_url import PostgresUrl
from backend_client.errors import BackendError, Refused, Unreachable

_START = {
    "28P01": ("PostgreSQL at {where} refused the password of {user}.", "Look at TRAINDECK_SERVER_DATABASE."),
    "28000": (
        "PostgreSQL at {where} does not let {user} in: {message}.",
        "Its pg_hba.conf and its roles say who may.",
    ),
    "3D000": ("There is no database {database} at {where}.", "createdb -O {user} {database}"),
    "42501": (
        "{user} may not make tables in the database {database}: {message}.",
        "Make it the owner: ALTER DATABASE {database} OWNER TO {user}",
    ),
    "25006": ("PostgreSQL at {where} takes no writes: it is a standby, or read-only.", "Name the primary."),
    "53300": ("PostgreSQL at {where} has no connection left.", "Raise its max_connections, or end others."),
    "53100": ("The disk of PostgreSQL at {where} is full.", "Make room there."),
    "57P03": ("PostgreSQL at {where} is not ready: {message}.", "Try again in a moment."),
}
"""SQLSTATE -> sentence and hint; https://www.postgresql.org/docs/current/errcodes-appendix.html"""


@contextmanager
def explain_start(place: URL | PostgresUrl) -> Iterator[None]:
    """Turn what fails at the start into words. Raises Refused, Unreachable."""
    if isinstance(place, PostgresUrl):
        names = {"where": place.where, "database": place.database or "", "user": place.user or "this user"}
    else:
        names = {"where": place.database or "", "database": place.database or "", "user": "this user"}
    try:
        yield
    except CommandError:
        raise Refused(
            f"A newer traindeck made the schema of the database {names['database']}.",
            "Start the newer traindeck, or restore the backup from before the upgrade.",
        ) from None
    except BackendError:
        raise
    except Exception as error:
        raise _explain(_cause(error), names) or error from error


def _explain(error: BaseException, names: dict[str, str]) -> BackendError | None:
    message = str(error).strip().partition("\n")[0].rstrip(".")
    names = {**names, "message": message}
    state = str(getattr(error, "sqlstate", "") or "")
    title, hint = _START.get(state, ("", ""))
    if title:
        return Refused(title.format(**names), hint.format(**names))
    return _of_sqlite(message, names["database"]) or _of_network(error, message, names)


def _of_sqlite(message: str, database: str) -> BackendError | None:
    if "database is locked" in message or "database table is locked" in message:
        return Refused(
            f"Another program holds the database {database} locked.", "End it: a sqlite3 shell, a backup."
        )
    if "file is not a database" in message or "malformed" in message:
        return Refused(f"{database} is no SQLite database, or a damaged one.", "Restore its backup.")
    if "disk is full" in message or "disk I/O error" in message:
        return Refused(f"The disk of {database} takes no writes: {message}.", "Make room there.")
    if "unable to open database file" in message or "readonly database" in message:
        return Refused(
            f"The database {database} cannot be written.", "Its file and its folder belong to the server."
        )
    return None


def _of_network(error: BaseException, message: str, names: dict[str, str]) -> BackendError | None:
    where = names["where"]
    if isinstance(error, socket.gaierror):
        return Unreachable(f"There is no host {where}, where the database should be.", "Look at its URL.")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"The certificate of PostgreSQL at {where} is not trusted: {error.verify_message}.",
            "Name the authority in the database's URL: sslrootcert=FILE.",
        )
    if isinstance(error, ssl.SSLError) or "SSL" in message:
        return Unreachable(
            f"PostgreSQL at {where} and this server agree on no TLS: {message}.",
            "Look at sslmode in its URL.",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"The server's database does not answer at {where}.", "Look at host, port and firewall."
        )
    if isinstance(error, OSError):
        # A host of several addresses: asyncio has one error for all, without a number (since Python 3.12).
        refused = f"[Errno {errno.ECONNREFUSED}]" in message
        if refused or error.errno in (errno.ECONNREFUSED, errno.ENOENT):
            return Unreachable(
                f"The server's database does not answer: no PostgreSQL listens at {where}.", "Is it running?"
            )
        return Unreachable(f"The server's database does not answer at {where}: {message}.")
    if type(error).__name__ == "TargetServerAttributeNotMatched":
        return Unreachable(f"None of the PostgreSQLs at {where} is what target_session_attrs asks for.")
    if type(error).__module__.startswith("asyncpg"):
        return Unreachable(f"PostgreSQL at {where} refuses this server: {message}.")
    return None


def _cause(error: BaseException) -> BaseException:
    """Return the driver's own error under SQLAlchemy's."""
    found = getattr(error, "orig", None) or error
    return found.__cause__ if type(found).__module__.startswith("sqlalchemy") and found.__cause__ else found

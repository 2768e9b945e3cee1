"""A PostgreSQL for tests, in a folder of its own, on a unix socket only."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PLACES = "/usr/lib/postgresql"
PROGRAMS = ("initdb", "postgres", "psql")
_SHAPE = """(
    SELECT concat_ws(' ',
        (SELECT count(*) FROM pg_trigger),
        (SELECT count(*) FROM pg_constraint),
        (SELECT string_agg(oid || relname || relnatts, ' ' ORDER BY relname) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace),
        (SELECT count(*) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())))
)"""
"""What of a database is not in its rows."""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
_REMEMBER = f"""DO $$ DECLARE t text; BEGIN
    CREATE SCHEMA pristine;
    CREATE TABLE pristine.shape AS SELECT {_SHAPE} AS shape;
    FOR t IN {_TABLES} LOOP
        EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', t, t);
    END LOOP;
END $$"""
_EMPTY = f"""DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    IF {_SHAPE} <> (SELECT shape FROM pristine.shape) THEN
        RAISE 'it has another shape';
    END IF;
    SET LOCAL session_replication_role = replica;  -- no trigger, no foreign key: the audit log is emptied too
    FOR name IN {_TABLES} LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format('INSERT INTO public.%I SELECT * FROM pristine.%I', name, name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER SEQUENCE public.%I RESTART', name);
    END LOOP;
    UPDATE meta SET value = md5(random()::text || clock_timestamp()) WHERE key = 'server_id';
END $$"""


def binaries() -> Path | None:
    """Find the folder of initdb, postgres and psql, or None."""
    debian = sorted(Path(PLACES).glob("*/bin"), reverse=True)
    where = [*debian, *(Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep))]
    return next((path for path in where if all((path / name).exists() for name in PROGRAMS)), None)


class Postgres:
    """One server. It refuses to run as root, so root runs it as the user postgres."""

    def __init__(self, where: Path, *, durable: bool = False) -> None:
        """`durable`: every commit reaches the disk, as outside of tests."""
        self.where = where
        self.durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="td-pg-", dir="/tmp"))
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
        self.process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count()
        self._used: list[str] = []

    def start(self) -> None:
        """Make it where it is not yet, run it, and return when it answers."""
        data = self.folder / "data"
        if not data.exists():
            self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        flags = ["-k", self.folder, "-c", "listen_addresses=", "-c", "max_connections=200"]
        if not self.durable:
            flags += ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.where / "postgres", "-D", data, *flags], stdout=log, stderr=log, cwd="/", **self.user
            )
        self._run("psql", *self._at("postgres"), "-c", "", tries=100)

    def kill(self) -> None:
        """Kill it as a power cut would: nobody gets to write anything more."""
        for pid in [self.process.pid, *_children(self.process.pid)]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def fresh(self, name: str, template: str = "template1") -> str:
        """Create a new database, empty or as a template is; return its URL."""
        self._run("psql", *self._at("postgres"), "-c", f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def make_template(self, name: str) -> None:
        """Let `borrow` give out copies of a database, which remember what it is like."""
        self._run("psql", *self._at(name), "-c", _REMEMBER)

    @contextlib.contextmanager
    def borrow(self, template: str) -> Iterator[str]:
        """Give the URL of a database that is as its template, with a server's id of its own.

        To create one takes longer than most tests: one that an earlier test has used is emptied. Where that
        test has changed more than rows, the next gets a new one.
        """
        name = self._used.pop() if self._used else ""
        if not name or not self._emptied(name):
            name = f"t{next(self._names)}"
            self.fresh(name, template)
            assert self._emptied(name)
        yield self.url(name)
        self._used.append(name)

    def _emptied(self, name: str) -> bool:
        try:
            self._run("psql", *self._at(name), "-c", _EMPTY)
        except AssertionError:
            return False
        return True

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def remove(self) -> None:
        """Stop it, and take its folder away."""
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _at(self, name: str) -> list[str]:
        return ["-h", str(self.folder), "-U", "postgres", "-d", name, "-qX"]

    def _run(self, program: str, *words: object, tries: int = 1) -> None:
        for left in reversed(range(tries)):
            done = subprocess.run(
                [self.where / program, *map(str, words)],
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                **self.user,
            )
            if not done.returncode:
                return
            if left:
                try:
                    self.process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            log = self.folder / "log"
            raise AssertionError(f"{program}: {done.stderr}{log.read_text() if log.exists() else ''}")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

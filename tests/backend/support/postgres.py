"""A PostgreSQL for tests, in a folder of its own, on a unix socket only."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

PLACES = "/usr/lib/postgresql"
PROGRAMS = ("initdb", "postgres", "psql")


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

    def fresh(self, name: str, template: str = "template1", *statements: str) -> str:
        """Create a new database, empty or as a template, and run statements in it; return its URL."""
        commands = [f"CREATE DATABASE {name} TEMPLATE {template}", rf"\connect {name}", *statements]
        self._run("psql", *self._at("postgres"), *(word for one in commands for word in ("-c", one)))
        return self.url(name)

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

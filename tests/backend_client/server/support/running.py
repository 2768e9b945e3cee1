"""A real server on a loopback port, in a thread of the test's process, with people in it."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.app import create_app
from backend.auth import tokens
from backend.auth.users import add_user, get_user
from backend.serve import build_server
from backend.settings import ServerSettings
from backend_client.server.roles import Role
from tests.support.wait import PATIENCE, until

PASSWORD = "correct horse battery"


class Running:
    """A server. `said`: what it told its terminal; `port`: that of one before, 0 is a free one."""

    def __init__(self, folder: Path, *, port: int = 0, **settings: Any) -> None:
        self.said: list[str] = []
        self._asked_port = port
        given = {"folder": folder, "argon2_memory": 64, "argon2_time": 1, "rate": 1e6, "burst": 10**6}
        self.app = create_app(ServerSettings(**{**given, **settings}), announce=self.said.append)
        self._server = build_server(self.app)
        self._thread = threading.Thread(target=self._run)
        self._loop: asyncio.AbstractEventLoop | None = None

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve([socket.create_server(("127.0.0.1", self._asked_port))])

        asyncio.run(serve())

    def start(self) -> None:
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive())
        assert self._server.started

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)

    @property
    def port(self) -> int:
        return self._server.servers[0].sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.server_state.connections)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def context(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def code(self) -> str:
        """The set-up code."""
        until(lambda: self.said)
        return re.search(r"one hour: (\S+)", self.said[-1])[1]

    def do(self, work: Any) -> Any:
        """Run a coroutine in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def person(self, name: str, role: str = "researcher", password: str = PASSWORD) -> None:
        """Make a user."""

        async def make() -> None:
            runtime = self.app.state.runtime
            hashed = await runtime.passwords.hash(password)
            async with runtime.database.write() as session:
                await add_user(session, name, hashed, Role(role))

        self.do(make())

    def end_logins(self, name: str) -> None:
        """End all logins of a user, as an admin's change of the password does."""

        async def end() -> None:
            runtime = self.app.state.runtime
            async with runtime.database.write() as session:
                user = await get_user(session, name)
                ended = await tokens.revoke(session, user.id)
            runtime.revocations.revoke(ended)

        self.do(end())


@contextmanager
def running(folder: Path, *, people: dict[str, str] | None = None, **settings: Any) -> Iterator[Running]:
    """A server with people (name -> role, all with PASSWORD); without any it waits for its set-up code."""
    server = Running(folder, **settings)
    server.start()
    try:
        for name, role in (people or {}).items():
            server.person(name, role)
        yield server
    finally:
        server.stop()

"""The FastAPI app of a server: routes, middleware, error handlers, lifespan."""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from backend import error_responses
from backend.auth.first_admin import FirstAdmin, require_first_admin
from backend.auth.login_throttle import LoginThrottle
from backend.auth.passwords import Passwords
from backend.auth.stream_revocation import StreamRevocations
from backend.db.engine import database_url, open_database
from backend.db.models import Meta
from backend.jobs.startup import start_job_service
from backend.middleware import RequestGuard
from backend.openapi import describe
from backend.routes import audit, auth, clusters, health, history, jobs, logs, server, users, watch
from backend.runtime import Runtime
from backend.settings import ServerSettings
from backend_client.errors import BackendError

log = logging.getLogger("traindeck.app")
ROUTERS = tuple(
    part.router for part in (server, auth, users, audit, health, jobs, logs, watch, clusters, history)
)


def announce(message: str) -> None:
    """Print a message for whoever started the server, to stderr."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201  for whoever started the server


def create_app(settings: ServerSettings, announce: Callable[[str], None] = announce) -> FastAPI:
    """Create the app with these settings. `announce` shows the set-up code to whoever started it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                runtime = app.state.runtime = await open_runtime(settings, stack)
                await runtime.first_admin.create_from_settings()
            except BackendError as error:
                app.state.failure = error
                raise
            await _run_in_background(stack, runtime.first_admin.offer_setup_code(announce))
            await _run_in_background(stack, runtime.revocations.recheck_forever(runtime.database))
            yield

    app = FastAPI(
        title="traindeck",
        version=version("traindeck"),
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        dependencies=[Depends(require_first_admin)],
        responses=error_responses.PROBLEMS,
    )
    app.state.settings, app.state.failure = settings, None
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body)
    app.add_middleware(
        RequestGuard,
        hosts=known_hosts(settings),
        rate=settings.rate,
        burst=settings.burst,
        max_body=settings.max_body,
    )
    error_responses.install_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    return app


async def open_runtime(settings: ServerSettings, stack: AsyncExitStack) -> Runtime:
    """Open the runtime: database, jobs, first admin; `stack` closes it. Raises Refused, Unreachable."""
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = await open_database(database_url(settings.database.get_secret_value(), settings.folder))
    stack.push_async_callback(database.aclose)
    async with database.read() as session:
        server_id = (await session.get_one(Meta, "server_id")).value
    passwords = Passwords(settings.argon2_memory, settings.argon2_time)
    service = await start_job_service(settings, database, server_id, stack)
    return Runtime(
        settings=settings,
        database=database,
        passwords=passwords,
        throttle=LoginThrottle(),
        revocations=StreamRevocations(),
        server_id=server_id,
        jobs=service,
        first_admin=FirstAdmin(settings, database, passwords),
    )


async def _run_in_background(stack: AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Run a coroutine beside the server, until the server ends."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("work beside the requests failed", exc_info=error)


def known_hosts(settings: ServerSettings) -> list[str]:
    """Return the host names under which clients may reach the server; addresses need none."""
    return [*settings.hosts, settings.listen.rpartition(":")[0], socket.gethostname()]

"""The FastAPI app of a server: routes, middleware, error handlers, lifespan."""

import asyncio
import logging
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import Depends, FastAPI

from backend import error_responses
from backend.alerts.service import start_alert_service
from backend.auth.first_admin import FirstAdmin, require_first_admin
from backend.auth.known_logins import KnownLogins
from backend.auth.last_uses import LastUses
from backend.auth.login_throttle import LoginThrottle
from backend.auth.passwords import Passwords
from backend.auth.registration_limit import RegistrationLimit
from backend.auth.stream_revocation import StreamRevocations
from backend.bridges.open_bridges import OpenBridges
from backend.bridges.trail import PortTrails
from backend.db.engine import database_url, open_database
from backend.db.models import Meta
from backend.db.write_probe import WriteProbe
from backend.jobs.startup import start_job_service
from backend.lenient_requests import LenientRequests
from backend.metrics.scrape import Scraper
from backend.middleware import BodyLimit, RequestGuard
from backend.openapi import describe
from backend.proxy_headers import UNIX, ProxyHeaders, TrustedProxies
from backend.request_counts import RequestCounts
from backend.routes import (
    alerts,
    audit,
    auth,
    bridges,
    clusters,
    code,
    health,
    history,
    job_usage,
    jobs,
    logs,
    metrics,
    queues,
    server,
    usage,
    users,
    watch,
)
from backend.routes.request_text import check_request
from backend.runtime import Runtime
from backend.settings import ServerSettings
from backend.web.errors import pages_or
from backend.web.pages import PAGES
from backend.web.pages.jobs import JobPages
from backend.web.rendering import Site
from backend_client.errors import BackendError, Refused

log = logging.getLogger("traindeck.app")
ROUTERS = tuple(
    part.router
    for part in (
        server,
        auth,
        users,
        audit,
        health,
        metrics,
        jobs,
        bridges,
        code,
        job_usage,
        logs,
        watch,
        queues,
        clusters,
        history,
        usage,
        alerts,
    )
)


def create_app(settings: ServerSettings, announce: Callable[[str], None]) -> FastAPI:
    """Create the app with these settings. `announce` shows the set-up code to whoever started it.

    Raises Refused for proxies that are none.
    """
    known_logins, requests = KnownLogins(), RequestCounts()
    open_streams: Counter[int] = Counter()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                runtime = app.state.runtime = await open_runtime(
                    settings, stack, known_logins, requests, open_streams
                )
                app.state.job_pages = JobPages(app.state.site, runtime.jobs.hub)
                await runtime.first_admin.create_from_settings()
            except BackendError as error:
                app.state.failure = error
                log.error("the server does not start: %s", error.title)  # noqa: TRY400  in words
                raise
            await _run_in_background(stack, runtime.first_admin.offer_setup_code(announce))
            await _run_in_background(stack, runtime.revocations.recheck_forever(runtime.database))
            await _run_in_background(stack, runtime.last_uses.write_forever(runtime.database))
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
        dependencies=[Depends(require_first_admin), Depends(check_request)],
        responses=error_responses.PROBLEMS,
    )
    app.state.settings, app.state.failure, app.state.known_logins = settings, None, known_logins
    app.state.open_streams = open_streams
    app.state.site = Site(settings.root_path)
    answer = error_responses.answering(pages_or)
    app.add_middleware(LenientRequests)
    app.add_middleware(BodyLimit, most=settings.max_body)
    app.add_middleware(
        RequestGuard,
        hosts=known_hosts(settings),
        rate=settings.rate,
        burst=settings.burst,
        max_body=settings.max_body,
        root_path=settings.root_path,
        known_logins=known_logins,
        counts=requests,
        own_tls=settings.tls_cert is not None,
        answer=answer,
    )
    if settings.behind_proxy:
        app.add_middleware(ProxyHeaders, proxies=trusted_proxies(settings))
    error_responses.install_error_handlers(app, answer)
    for router in (*ROUTERS, *PAGES):
        app.include_router(router)
    app.add_api_websocket_route("/{path:path}", bridges.nothing)
    describe(app)
    return app


async def open_runtime(
    settings: ServerSettings,
    stack: AsyncExitStack,
    known_logins: KnownLogins,
    requests: RequestCounts,
    open_streams: Mapping[int, int],
) -> Runtime:
    """Open the runtime: database, jobs, first admin; `stack` closes it. Raises Refused, Unreachable.

    `requests`, `open_streams`: what the app counts, for the metrics.
    """
    _make_folder(settings.folder)
    database = await open_database(database_url(settings.database.get_secret_value(), settings.folder))
    stack.push_async_callback(database.aclose)
    await known_logins.load(database)
    async with database.read() as session:
        server_id = (await session.get_one(Meta, "server_id")).value
    passwords = Passwords(settings.argon2_memory, settings.argon2_time)
    service = await start_job_service(settings, database, server_id, stack)
    throttle = LoginThrottle()
    port_trails, open_bridges = PortTrails(database), OpenBridges()
    stack.push_async_callback(port_trails.aclose)
    stack.push_async_callback(open_bridges.aclose)
    return Runtime(
        settings=settings,
        database=database,
        passwords=passwords,
        write_probe=WriteProbe(database),
        throttle=throttle,
        known_logins=known_logins,
        registrations=RegistrationLimit(),
        revocations=StreamRevocations(),
        last_uses=LastUses(),
        server_id=server_id,
        jobs=service,
        alerts=await start_alert_service(settings, database, server_id, service, stack),
        bridges=open_bridges,
        port_trails=port_trails,
        first_admin=FirstAdmin(settings, database, passwords),
        scraper=Scraper(service, requests, throttle.refused, open_streams),
    )


def trusted_proxies(settings: ServerSettings) -> TrustedProxies:
    """Return the proxies whose X-Forwarded-For is believed. Raises Refused."""
    return TrustedProxies(settings.proxies or ([UNIX] if settings.socket else []))


def _make_folder(folder: Path) -> None:
    """Make the server's own folder, and see that it can be written. Raises Refused."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"The server cannot write in its folder {folder}: {why}.", "--folder DIR") from None


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

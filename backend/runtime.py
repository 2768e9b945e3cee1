"""The runtime of a server: its parts in one object, made by the app's lifespan, read by every request."""

from dataclasses import dataclass

from fastapi.requests import HTTPConnection

from backend.alerts.service import AlertService
from backend.auth.first_admin import FirstAdmin
from backend.auth.known_logins import KnownLogins
from backend.auth.last_uses import LastUses
from backend.auth.login_throttle import LoginThrottle
from backend.auth.passwords import Passwords
from backend.auth.registration_limit import RegistrationLimit
from backend.auth.stream_revocation import StreamRevocations
from backend.bridges.open_bridges import OpenBridges
from backend.bridges.trail import PortTrails
from backend.db.engine import Database
from backend.db.write_probe import WriteProbe
from backend.jobs.service import JobService
from backend.metrics.scrape import Scraper
from backend.settings import ServerSettings


@dataclass
class Runtime:
    """The parts of one server."""

    settings: ServerSettings
    database: Database
    passwords: Passwords
    write_probe: WriteProbe
    throttle: LoginThrottle
    known_logins: KnownLogins
    registrations: RegistrationLimit
    revocations: StreamRevocations
    last_uses: LastUses
    server_id: str
    """Random, made once with the database; the objects that the server creates in clusters carry it."""
    jobs: JobService
    """Everything that acts on jobs."""
    alerts: AlertService
    bridges: OpenBridges
    """Commands and connections that people have in their jobs."""
    port_trails: PortTrails
    first_admin: FirstAdmin
    scraper: Scraper
    """Makes the text of /metrics."""


def get_runtime(request: HTTPConnection) -> Runtime:
    """Return the runtime of the app that a request, or a WebSocket, came to."""
    runtime: Runtime = request.app.state.runtime
    return runtime

"""The runtime of a server: its parts in one object, made by the app's lifespan, read by every request."""

from dataclasses import dataclass

from fastapi import Request

from backend.auth.first_admin import FirstAdmin
from backend.auth.login_throttle import LoginThrottle
from backend.auth.passwords import Passwords
from backend.auth.stream_revocation import StreamRevocations
from backend.db.engine import Database
from backend.jobs.service import JobService
from backend.settings import ServerSettings


@dataclass
class Runtime:
    """The parts of one server."""

    settings: ServerSettings
    database: Database
    passwords: Passwords
    throttle: LoginThrottle
    revocations: StreamRevocations
    server_id: str
    """Random, made once with the database; the objects that the server creates in clusters carry it."""
    jobs: JobService
    """Everything that acts on jobs."""
    first_admin: FirstAdmin


def get_runtime(request: Request) -> Runtime:
    """Return the runtime of the app that a request came to."""
    runtime: Runtime = request.app.state.runtime
    return runtime

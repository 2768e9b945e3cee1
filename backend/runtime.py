"""What a running server holds: one object, made by the app's lifespan and reached from every request."""

import asyncio
from dataclasses import dataclass, field

from fastapi import Request

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
    """Random, made once with the database; what the server makes in a cluster carries it."""
    jobs: JobService
    """All that acts on jobs."""
    first_admin: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there is an admin; never cleared."""


def get_runtime(request: Request) -> Runtime:
    """The dependency of every route that needs more than its request."""
    found: Runtime = request.app.state.runtime
    return found

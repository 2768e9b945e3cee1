"""What the pages' routes share: the site, and a stream whose silence a script can hear."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Request

from backend.auth.caller import Caller
from backend.routes.deps import CurrentCaller, RuntimeDep
from backend.routes.streams import RevocableStream, event_stream
from backend.runtime import Runtime
from backend.web.rendering import Site, site_of
from backend_client.server.wire import frame

SiteDep = Annotated[Site, Depends(site_of)]
_HEARTBEAT = frame("heartbeat", b"{}")
"""An event: of a comment, which the API's clients get, an EventSource tells nothing."""


async def count_firing(request: Request, runtime: RuntimeDep, caller: CurrentCaller) -> None:
    """Count the alerts of a caller for the header of the page that they get."""
    if not request.scope["path"].startswith("/live/"):
        request.state.firing = await runtime.alerts.count_firing(caller)


COUNTED = (Depends(count_firing),)
"""The dependencies of routers whose pages say in their header how many alerts fire."""


def page_stream(runtime: Runtime, caller: Caller, frames: AsyncGenerator[bytes, None]) -> RevocableStream:
    """Answer with a stream of events for a page."""
    return event_stream(runtime.revocations, caller, frames, _HEARTBEAT)

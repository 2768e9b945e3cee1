"""What the pages' routes share: the site, and a stream whose silence a script can hear."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends

from backend.auth.caller import Caller
from backend.routes.streams import RevocableStream, event_stream
from backend.runtime import Runtime
from backend.web.rendering import Site, site_of
from backend_client.server.wire import frame

SiteDep = Annotated[Site, Depends(site_of)]
_HEARTBEAT = frame("heartbeat", b"{}")
"""An event: of a comment, which the API's clients get, an EventSource tells nothing."""


def page_stream(runtime: Runtime, caller: Caller, frames: AsyncGenerator[bytes, None]) -> RevocableStream:
    """Answer with a stream of events for a page."""
    return event_stream(runtime.revocations, caller, frames, _HEARTBEAT)

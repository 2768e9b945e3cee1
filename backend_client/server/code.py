"""One's own code at a server, as one of its users: `HasCode` over REST."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec.structs import replace

from backend_client.errors import NotFound, Refused
from backend_client.models import JobRef
from backend_client.models.code import Code
from backend_client.protocol import Diagnostic, Plan
from backend_client.server.capabilities import Capabilities
from backend_client.server.connection import Connection

if TYPE_CHECKING:
    from backend_client.code_bundle import Bundle

_SLOWEST = 2**16
"""Bytes a second that code is sent with at least."""


class CodeCalls:
    """What a `ServerBackend` has of code. An older server says in its capabilities that it takes none."""

    capabilities: Capabilities
    _connection: Connection
    _told: dict[str, str]
    """Code that was kept -> what is said of it here: the server does not know what was left out."""

    @property
    def code_limit(self) -> int:
        """The bytes that packed code may have (`HasCode`)."""
        return self.capabilities.code_limit

    async def keep_code(self, bundle: "Bundle") -> None:
        """Send packed code, unless the server has it (`HasCode`)."""
        code, path = bundle.code, f"/api/code/{bundle.code.sha256}"
        self._told[bundle.name] = bundle.about
        try:
            kept = await self._connection.fetch("GET", path, Code)
        except NotFound:
            kept = None
        if kept == code:
            return
        try:
            await self._connection.request(
                "PUT",
                path,
                query=_recorded(code),
                body=bundle.data,
                headers={"Content-Type": "application/gzip"},
                more_seconds=len(bundle.data) / _SLOWEST,
            )
        except NotFound:
            raise Refused("This server takes no code.", "A newer traindeck server does.") from None

    async def code_of(self, ref: JobRef) -> bytes:
        """Return the packed code of a job (`HasCode`)."""
        path = f"/api/jobs/{quote(ref.name, safe='')}/code"
        return await self._connection.request("GET", path, query={"uid": ref.uid})

    def _with_told(self, plan: Plan, code: str) -> Plan:
        """Return a plan that says of its code what was said here when it was packed."""
        told = self._told.get(code)
        if not told:
            return plan
        others = (notice for notice in plan.warnings if notice.field != "code")
        return replace(plan, warnings=(Diagnostic("code", told), *others))


def _recorded(code: Code) -> dict[str, str]:
    """Return the query that says what is recorded of code."""
    dirty = "true" if code.dirty else ""
    named = {"files": str(code.files), "commit": code.commit, "dirty": dirty, "remote": code.remote}
    return {name: value for name, value in named.items() if value}

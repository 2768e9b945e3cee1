"""Routes of alerts: those of one's jobs, what one wants to be told, and where it is sent."""

from datetime import UTC

import msgspec
from fastapi import APIRouter, Request, Response

from backend.openapi import struct_body, struct_response
from backend.routes.bodies import StructResponse, decode_body
from backend.routes.deps import CanAcknowledge, CanSee, CurrentCaller, RuntimeDep
from backend_client.alerts.alert import Alert, AlertList, AlertWishes, Channel, Delivery
from backend_client.server.bodies import NewChannel, Snooze

router = APIRouter(prefix="/api/alerts", tags=["alerts"])
_SNOOZE = msgspec.json.Decoder(Snooze)
_WISHES = msgspec.json.Decoder(AlertWishes)
_CHANNEL = msgspec.json.Decoder(NewChannel)


@router.get("", responses={200: struct_response(AlertList)})
async def alerts(runtime: RuntimeDep, caller: CanSee, everybody: bool = False) -> Response:
    """The alerts of one's own jobs, newest first: those that fire, and those of the last 7 days.

    `everybody`: of all jobs that the caller may see.
    """
    return StructResponse(await runtime.alerts.list(caller, everybody=everybody))


@router.get("/wishes", responses={200: struct_response(AlertWishes)})
async def wishes(runtime: RuntimeDep, caller: CurrentCaller) -> Response:
    """What the caller wants to be told, and where."""
    return StructResponse(await runtime.alerts.wishes(caller))


@router.put("/wishes", responses={200: struct_response(AlertWishes)}, openapi_extra=struct_body(AlertWishes))
async def set_wishes(request: Request, runtime: RuntimeDep, caller: CurrentCaller) -> Response:
    """Set rules and quiet hours; the channels stay as they are."""
    wanted = await decode_body(request, _WISHES, "wishes")
    return StructResponse(await runtime.alerts.set_wishes(caller, wanted))


@router.post(
    "/channels",
    status_code=201,
    responses={201: struct_response(Channel)},
    openapi_extra=struct_body(NewChannel),
)
async def add_channel(request: Request, runtime: RuntimeDep, caller: CurrentCaller) -> Response:
    """Add a channel, or give it another address. A webhook's signing key is in this answer alone."""
    new = await decode_body(request, _CHANNEL, "a channel")
    made = await runtime.alerts.add_channel(caller, new.name, new.kind, new.address)
    return StructResponse(made, status_code=201)


@router.delete("/channels/{name}", status_code=204, response_class=Response)
async def remove_channel(name: str, runtime: RuntimeDep, caller: CurrentCaller) -> None:
    """Remove a channel, with all that waits for it."""
    await runtime.alerts.remove_channel(caller, name)


@router.post("/channels/{name}/test", responses={200: struct_response(Delivery)})
async def test_channel(name: str, runtime: RuntimeDep, caller: CurrentCaller) -> Response:
    """Send one message to a channel now, and say what came of it."""
    return StructResponse(await runtime.alerts.test_channel(caller, name))


@router.post("/{alert_id}/acknowledge", responses={200: struct_response(Alert)})
async def acknowledge(alert_id: str, runtime: RuntimeDep, caller: CanAcknowledge) -> Response:
    """Note that somebody has seen an alert: what was not sent of it yet is not."""
    return StructResponse(await runtime.alerts.acknowledge(caller, alert_id))


@router.post("/{alert_id}/snooze", responses={200: struct_response(Alert)}, openapi_extra=struct_body(Snooze))
async def snooze(alert_id: str, request: Request, runtime: RuntimeDep, caller: CanAcknowledge) -> Response:
    """Tell of an alert no more before a time; then again, if it is still so."""
    until = (await decode_body(request, _SNOOZE, "a time")).until
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return StructResponse(await runtime.alerts.snooze(caller, alert_id, until))

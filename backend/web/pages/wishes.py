"""What a person wants to be told, and where: rules, quiet hours, channels."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from backend.auth.caller import Caller
from backend.error_responses import status_of
from backend.routes.deps import CurrentCaller, RuntimeDep
from backend.runtime import Runtime
from backend.web.deps import SiteDep
from backend.web.forms import read_form
from backend.web.rendering import Site
from backend_client.alerts.alert import AlertWishes, ChannelKind, Delivery
from backend_client.errors import BackendError, Invalid, Refused, sentence
from backend_client.text.figures import utc_time
from backend_client.text.wishes import (
    CHANNEL_NAME,
    KINDS,
    NO_CHANNEL,
    QUIET_FIELDS,
    RULES_HEADING,
    SIGNING,
    by_field,
    channel_cells,
    field_texts,
    is_secret,
    meaning,
    removal_question,
    rule_fields,
    wishes_of,
)

LONGEST_ADDRESS = 2000
"""As the API takes it."""
router = APIRouter(include_in_schema=False)


class Wishes:
    """The page of one person: their wishes as they are kept, and how they are shown."""

    def __init__(self, request: Request, site: Site, caller: Caller, kept: AlertWishes) -> None:
        self._request, self._site, self._caller, self._kept = request, site, caller, kept

    def page(
        self,
        texts: Mapping[str, str] | None = None,
        wrong: Mapping[str, str] | None = None,
        *,
        error: BackendError | None = None,
        rest: str = "",
        tried: Delivery | None = None,
    ) -> Response:
        """Show it. `texts`: what was typed; `wrong`: by field; `rest`: of none; `tried`: a test."""
        channels = [
            channel_cells(one, tried if tried and tried.channel == one.name else None, utc_time)
            for one in self._kept.channels
        ]
        return self._site.page(
            self._request,
            "wishes.html",
            caller=self._caller,
            status=status_of(error) if error else 200,
            texts=texts if texts is not None else field_texts(self._kept),
            wrong=wrong or {},
            rest=rest,
            error=error,
            channels=[*zip(self._kept.channels, channels, strict=True)],
            tested=next((cells for cells in channels if tried and tried.channel == cells[0]), None),
            groups=[(RULES_HEADING, rule_fields()), ("Quiet hours", QUIET_FIELDS)],
            meaning=meaning,
            kinds=KINDS,
            no_channel=sentence(NO_CHANNEL),
        )


async def _wishes(request: Request, runtime: Runtime, site: Site, caller: Caller) -> Wishes:
    return Wishes(request, site, caller, await runtime.alerts.wishes(caller))


@router.get("/alerts/wishes")
async def wishes(request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep) -> Response:
    """Show the form, and the channels."""
    return (await _wishes(request, runtime, site, caller)).page()


@router.post("/alerts/wishes")
async def set_wishes(request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep) -> Response:
    """Keep the rules and the quiet hours."""
    form = await read_form(request)
    before = await runtime.alerts.wishes(caller)
    texts = {name: form.text(name).strip() for name in field_texts(before)}
    shown = Wishes(request, site, caller, before)
    try:
        await runtime.alerts.set_wishes(caller, wishes_of(texts, before))
    except Invalid as error:
        fields, rest = by_field(error.fields)
        return shown.page(texts, fields, error=error, rest=rest)
    return site.redirect("/alerts/wishes", kept="1")


@router.get("/alerts/channels/add")
async def channel_form(request: Request, caller: CurrentCaller, site: SiteDep, kind: ChannelKind) -> Response:
    """Show the form of a new channel of a kind."""
    return _channel_page(request, site, caller, kind=kind)


@router.post("/alerts/channels/add")
async def add_channel(
    request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep
) -> Response:
    """Add a channel, or give it another address. A webhook's signing key is in this answer alone."""
    form = await read_form(request)
    name, address = form.text("name").strip(), form.text("address").strip()
    try:
        kind = ChannelKind(form.text("kind"))
    except ValueError:
        raise Invalid({"kind": f"write one of {', '.join(KINDS)}"}) from None
    typed = {"name": name, "address": "" if is_secret(kind) else address}
    try:
        _check_length(address)
        made = await runtime.alerts.add_channel(caller, name, kind, address)
    except (Invalid, Refused) as error:
        return _channel_page(request, site, caller, kind=kind, texts=typed, error=error)
    if made.signing_key:
        return _channel_page(request, site, caller, kind=kind, made=made, secret=True)
    return site.redirect("/alerts/wishes", added="1")


def _check_length(address: str) -> None:
    if not 0 < len(address) <= LONGEST_ADDRESS:
        raise Invalid({"address": f"write at most {LONGEST_ADDRESS} letters"})


def _channel_page(
    request: Request, site: Site, caller: Caller, *, error: BackendError | None = None, **context: Any
) -> Response:
    kind: ChannelKind = context["kind"]
    return site.page(
        request,
        "channel.html",
        caller=caller,
        status=status_of(error) if error else 200,
        error=error,
        about=KINDS[kind],
        hidden=is_secret(kind),
        name_help=CHANNEL_NAME,
        signing=SIGNING,
        **{"made": None, "texts": {}, **context},
    )


@router.post("/alerts/channels/test")
async def test_channel(
    request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep
) -> Response:
    """Send one message to a channel now, and say in its row what came of it."""
    name = (await read_form(request)).text("name")
    shown = await _wishes(request, runtime, site, caller)
    try:
        return shown.page(tried=await runtime.alerts.test_channel(caller, name))
    except Refused as error:
        return shown.page(error=error)


@router.get("/alerts/channels/remove")
async def ask_removal(request: Request, caller: CurrentCaller, site: SiteDep, name: str) -> Response:
    """Ask before a channel is removed."""
    asked = removal_question(name)
    return site.page(
        request,
        "question.html",
        caller=caller,
        question=asked.question,
        detail=[asked.detail],
        yes=asked.yes,
        action=site.url("/alerts/channels/remove"),
        hidden=[("name", name)],
        back=site.url("/alerts/wishes"),
    )


@router.post("/alerts/channels/remove")
async def remove_channel(
    request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep
) -> Response:
    """Remove a channel, with all that waits for it."""
    await runtime.alerts.remove_channel(caller, (await read_form(request)).text("name"))
    return site.redirect("/alerts/wishes")

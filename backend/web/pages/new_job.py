"""The form for a new job: filled in from another job, a link or a spec file, looked at before, and sent."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from msgspec.structs import replace

from backend.authorization import visible_users
from backend.clusters.event_log import Audience
from backend.jobs import create, reading
from backend.jobs.create import CreateRequest
from backend.jobs.rows import JobSelector
from backend.jobs.submission import lacking_secrets, submit
from backend.routes.deps import CanCreate, CanSee, RuntimeDep, SelectedJob
from backend.web.deps import SiteDep
from backend.web.forms import read_form
from backend.web.new_job.desk import JobDesk
from backend.web.new_job.draft import (
    PREFIX,
    new_draft,
    notes_on,
    read_draft,
    read_secrets,
    spec_texts,
)
from backend.web.new_job.offers import free_machines
from backend_client.errors import BackendError, Invalid, fragment
from backend_client.models import Job
from backend_client.models.fields import FIELD_NAMES, field_text, parse_field, parse_fields
from backend_client.server.bodies import create_body
from backend_client.spec_file import next_name, read_spec
from backend_client.text.form_fields import by_field, missing, to_do

router = APIRouter(include_in_schema=False)
_LARGEST_FILE = 2**17
"""Bytes of a spec file in a page: YAML of a mebibyte is read for seconds."""
_FILE = "this text"
"""What errors call a spec file that was written into the page."""


def _desk_to_look(request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep) -> JobDesk:
    return JobDesk(request, runtime, caller, site)


def _desk(request: Request, runtime: RuntimeDep, caller: CanCreate, site: SiteDep) -> JobDesk:
    return JobDesk(request, runtime, caller, site)


Looking = Annotated[JobDesk, Depends(_desk_to_look)]
"""The form for anybody; for who may not make a job it is grey."""
Making = Annotated[JobDesk, Depends(_desk)]


@router.get("/new")
async def new(
    request: Request,
    desk: Looking,
    source: Annotated[str, Query(alias="from")] = "",
    cluster: str = "",
) -> Response:
    """Show the form; filled in with `f.FIELD` of the query, over the job whose uid is `from`."""
    if source:
        name = await reading.name_of(desk.runtime.jobs, desk.caller, source)
        return await _again(request, desk, name, JobSelector(cluster, "", source))
    changes, wrong = _changes(request)
    return await desk.form(new_draft(changes, marked=frozenset(changes)), wrong=wrong)


@router.get("/jobs/{name}/again")
async def again(request: Request, desk: Looking, name: str, selector: SelectedJob) -> Response:
    """Show the form filled in from a job, and over that with `f.FIELD` of the query."""
    return await _again(request, desk, name, selector)


@router.post("/new")
async def make(request: Request, desk: Making, site: SiteDep) -> Response:
    """Make the job, and go to its page; or show what speaks against it, or what is to be asked before."""
    form = await read_form(request)
    draft, jobs = read_draft(form), desk.runtime.jobs
    try:
        spec = draft.spec(desk.rules)
        values = read_secrets(form, spec)
        body = create_body(spec, values)
        wanted = CreateRequest(
            caller=desk.caller,
            spec=spec,
            secrets=values,
            # What was changed meanwhile is another request, also where the first has made its job.
            idempotency_key=jobs.clusters.vault.digest(draft.key.encode() + b"\0" + body),
            body=body,
        )
        sure = bool(form.text("sure"))
        made = await submit(jobs, wanted, sure=sure)
    except BackendError as error:
        return await desk.form(draft, error=error)
    if isinstance(made, Job):
        return RedirectResponse(site.job_url(made.ref), 303)
    return await desk.plan(draft, spec, made, asked=sure and bool(lacking_secrets(wanted)))


@router.post("/new/plan")
async def look(request: Request, desk: Making) -> Response:
    """Show what would be made."""
    draft = read_draft(await read_form(request))
    try:
        spec = draft.spec(desk.rules)
        plan = await create.plan(desk.runtime.jobs, desk.caller, spec)
    except BackendError as error:
        return await desk.form(draft, error=error)
    return await desk.plan(draft, spec, plan)


@router.post("/new/edit")
async def edit(request: Request, desk: Making) -> Response:
    """Show the form with what was typed, and what its cluster has; with `shell`, a shell runs the command."""
    form = await read_form(request)
    draft = read_draft(form)
    in_shell = bool(form.text("shell"))
    return await desk.form(draft.in_shell() if in_shell else draft, unfold=not in_shell)


@router.post("/new/from-file")
async def from_file(request: Request, desk: Making) -> Response:
    """Fill in the form from the text of a spec file."""
    file = (await read_form(request)).text("file")
    try:
        raw = await asyncio.to_thread(_read_file, file)
    except Invalid as error:
        return await desk.form(new_draft({}), error=error, file=file)
    texts, wrong = _read_raw(raw)
    return await desk.form(new_draft(texts), wrong=wrong, file=file if wrong else "")


@router.post("/new/check")
async def check(request: Request, desk: Making) -> Response:
    """Show what is said at each field, for a script."""
    draft = read_draft(await read_form(request))
    machines = await free_machines(desk.runtime, desk.caller)
    notes = notes_on(draft, desk.rules, machines)
    spec, wrong = draft.read(desk.rules)
    empty = missing(spec, desk.rules) if spec else {}
    if wrong or empty or spec is None:
        return await desk.notes(draft, notes, to_do(empty))
    try:
        plan = await create.plan(desk.runtime.jobs, desk.caller, spec)
    except BackendError as error:
        return await desk.notes(draft, replace(notes, errors=error.fields), fragment(error.title))
    said = replace(
        notes, errors=by_field(plan.errors), warnings={**notes.warnings, **by_field(plan.warnings)}
    )
    return await desk.notes(draft, said, f"{plan.name}, {plan.place}")


def _read_file(file: str) -> dict[str, Any]:
    content = file.encode()
    if len(content) > _LARGEST_FILE:
        raise Invalid({"file": "it is larger than 128 KiB; traindeck submit -f takes larger ones"})
    return read_spec(content, _FILE)


async def _again(request: Request, desk: JobDesk, name: str, selector: JobSelector) -> Response:
    old = await reading.spec_again(desk.runtime.jobs, desk.caller, name, selector)
    changes, wrong = _changes(request)
    texts = spec_texts(replace(old, name="")) | changes
    before = {field: field_text(field, getattr(old, field)) for field in changes if field != "name"}
    draft = new_draft(
        texts,
        suggested=next_name(old, _names(desk)),
        marked=frozenset(changes),
        before=before,
    )
    return await desk.form(draft, wrong=wrong, again=name)


def _names(desk: JobDesk) -> list[str]:
    jobs = desk.runtime.jobs.hub.jobs_for(Audience(visible_users(desk.caller)))
    return [cached.job.name for cached in jobs]


def _changes(request: Request) -> tuple[dict[str, str], dict[str, str]]:
    """Return field -> its text in the query, and what is wrong with those that no job has."""
    asked = {
        name.removeprefix(PREFIX): text
        for name, text in request.query_params.items()
        if name.startswith(PREFIX)
    }
    texts = {name: text for name, text in asked.items() if name in FIELD_NAMES}
    return texts, {name[:80]: "there is no such field here" for name in asked.keys() - texts.keys()}


def _read_raw(raw: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Return field -> its text, and field -> what is wrong, of a spec file's content."""
    wrong: dict[str, str] = {}
    try:
        parse_fields(raw)
    except Invalid as error:
        wrong = error.fields
    texts = {}
    for name in FIELD_NAMES:
        if name in raw and name not in wrong:
            texts[name] = field_text(name, parse_field(name, raw[name]))
        elif isinstance(written := raw.get(name), str | int | float):
            texts[name] = str(written)
    return texts, wrong

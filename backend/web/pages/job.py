"""One job: how it stands and why, what was asked, what it uses, what it has cost, what happened; live."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse

from backend.auth.caller import Caller
from backend.clusters.event_log import Audience, CachedJob
from backend.jobs import reading
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.routes.streams import StreamCaller
from backend.runtime import Runtime
from backend.web.deps import SiteDep, page_stream
from backend.web.job import view as job_view
from backend.web.job.links import links_of, links_of_deleted, new_url, why_not_again
from backend.web.job.questions import Answers, ask_all, ask_of_deleted
from backend.web.rendering import Site
from backend.web.rows import step_frame
from backend_client.errors import Conflict, NotFound, Refused, sentence
from backend_client.models import Job, JobRef
from backend_client.protocol import FreshnessState
from backend_client.server.bodies import VisibleJobs
from backend_client.server.wire import ClusterLink, Lagged, Step, encode, frame, watch_frame
from backend_client.spec_file import no_spec, spec_yaml
from backend_client.text import why as why_text
from backend_client.text.attempts import state_durations
from backend_client.text.clusters import link_sentence
from backend_client.text.receipt import change_text, receipt_lines
from backend_client.text.receipt import heading as receipt_heading
from backend_client.text.sanitize import clean
from backend_client.text.timeline import command_line, spec_fields_text, timeline
from backend_client.why import Explanation, Offer

SCREEN = "browser, one job"
router = APIRouter(include_in_schema=False)


class ChangeFrames:
    """The frames of a job's page: that something has changed, upon which it reads its parts again."""

    lagged = watch_frame(Lagged("more happened than was read; the page is read again"))

    def snapshot(self, jobs: Sequence[CachedJob], id: str) -> bytes:  # noqa: A002  the field's name
        """Say that something may have changed: the page cannot go on behind what it has read."""
        return frame("changed", encode([f"{clean(one.job.name, 80)}: {one.job.state}" for one in jobs]), id)

    def changed(self, jobs: Sequence[CachedJob]) -> bytes:
        return frame("changed", encode([f"{clean(one.job.name, 80)}: {one.job.state}" for one in jobs]))

    def gone(self, refs: Sequence[JobRef]) -> bytes:
        return frame("changed", encode([f"{clean(ref.name, 80)}: deleted" for ref in refs]))

    def link(self, link: ClusterLink) -> bytes:
        return watch_frame(link)

    def step(self, step: Step) -> bytes:
        return step_frame(step)


_FRAMES = ChangeFrames()


@router.get("/jobs/{name}")
async def job(  # noqa: PLR0917  one for each part of the request
    name: str,
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    selector: SelectedJob,
    ranks: str = "",
) -> Response:
    """Show the page. Where several jobs have the name, the list of them."""
    service = runtime.jobs
    try:
        known = await reading.known_job(service, caller, name, selector)
    except Conflict:
        return site.redirect("/jobs", q=name)
    found, ref = known.job, known.job.ref
    audience = await reading.audience_of(service, caller, cluster=ref.context, uid=ref.uid)
    after = service.hub.last_id(audience)
    if known.deleted:
        links, answers = links_of_deleted(site, caller, found), await ask_of_deleted(service, caller, found)
    else:
        await service.visible_jobs.set_visible_jobs(caller, VisibleJobs(SCREEN, (ref.uid,)))
        links, answers = links_of(site, service, caller, found), await ask_all(service, caller, found)
    now = datetime.now(UTC)
    use = answers.reading
    return site.page(
        request,
        "job.html",
        caller=caller,
        job=found,
        deleted=known.deleted,
        links=links,
        answers=answers,
        stale=[] if known.deleted else _stale(runtime, audience),
        link=_link_state(runtime, ref.context),
        after=after,
        stream=site.url(f"/live/jobs/{quote(ref.name, '')}", cluster=ref.context, uid=ref.uid),
        about=job_view.about(found),
        why=_why(site, caller, found, answers, now),
        use=job_view.use_view(use, all_ranks=ranks == "all") if use else None,
        command=command_line(found.spec),
        asked=spec_fields_text(found.spec),
        receipt=answers.receipt.value,
        advice=_advice(site, caller, found, answers),
        receipt_heading=receipt_heading,
        receipt_lines=receipt_lines,
        change_text=change_text,
        durations=[] if known.deleted and not found.ended else state_durations(found, now),
        timeline=timeline(found, answers.events.value or ()),
        attempts=job_view.attempt_rows(found),
        attempt_columns=job_view.attempt_columns,
        rank_rows=job_view.rank_rows(found),
        rank_titles=job_view.RANK_TITLES,
        spec="" if no_spec(found) else spec_yaml(found.spec),
        no_spec=clean(no_spec(found), 400),
        zone=f"{now.astimezone():%Z}",
    )


@router.get("/jobs/{name}/why")
async def why(
    name: str, runtime: RuntimeDep, caller: CanSee, site: SiteDep, selector: SelectedJob
) -> Response:
    """Go to the part of the page that says why."""
    known = await reading.known_job(runtime.jobs, caller, name, selector)
    return RedirectResponse(f"{site.job_url(known.job.ref)}#why", 303)


@router.get("/jobs/{name}/spec.yaml")
async def spec_file(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """Send the spec file, to be saved: `submit -f` takes it."""
    known = await reading.known_job(runtime.jobs, caller, name, selector)
    if why_none := no_spec(known.job):
        raise Refused(f"{known.job.name} has no spec file.", sentence(why_none))
    file = re.sub(r"[^\w.-]", "_", known.job.name, flags=re.ASCII)
    headers = {"Content-Disposition": f'attachment; filename="{file}.yaml"'}
    return Response(spec_yaml(known.job.spec), 200, headers, "text/plain; charset=utf-8")


@router.get("/live/jobs/{name}")
async def live(  # noqa: PLR0917  one for each part of the request
    name: str,
    runtime: RuntimeDep,
    caller: StreamCaller,
    selector: SelectedJob,
    after: str = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """`changed`, whatever it was; `step` of its deletion; `link` of its cluster."""
    if not selector.uid:
        raise NotFound(f"There is no job {name}.")
    audience = await reading.audience_of(runtime.jobs, caller, cluster=selector.cluster, uid=selector.uid)
    return page_stream(runtime, caller, runtime.jobs.hub.frames(audience, last_event_id or after, _FRAMES))


def _link_state(runtime: Runtime, cluster: str) -> str:
    link = runtime.jobs.hub.links.get(cluster)
    return link.state.value if link else FreshnessState.STALE.value


def _stale(runtime: Runtime, audience: Audience) -> list[str]:
    return [*filter(None, map(link_sentence, runtime.jobs.hub.links_for(audience)))]


def _advice(site: Site, caller: Caller, job: Job, answers: Answers) -> str:
    """Return the address of the form with the change that the receipt advises; "" where there is none."""
    receipt = answers.receipt.value
    changes = receipt.advice.changes if receipt and receipt.advice else {}
    return new_url(site, job.ref, changes) if changes and not why_not_again(caller, job) else ""


def _why(site: Site, caller: Caller, job: Job, answers: Answers, now: datetime) -> dict[str, object]:
    """Return what the part that says why shows."""
    found = answers.why.value or Explanation(sentence=job.reason)
    headline = why_text.headline(job, found) if answers.why.value else clean(job.reason)
    barred = why_not_again(caller, job) or clean(job.read_only, 300)

    def offer_url(offer: Offer) -> str:
        return "" if barred else new_url(site, job.ref, offer.changes)

    return {
        "headline": headline,
        "titles": why_text,
        "failure": why_text.failure_sentences(found),
        "queue": why_text.queue_sentences(job.queue, now) if job.queue and not job.ended else [],
        "chain": found.chain,
        "about": lambda cause: why_text.cause_about(cause, now),
        "raw": why_text.raw_lines,
        "offers": found.offers,
        "changes": lambda offer: why_text.changed_fields(job.spec, offer),
        "offer_url": offer_url,
        "barred": barred,
        "unknown": [clean(words, 400) for words in found.unknown],
    }

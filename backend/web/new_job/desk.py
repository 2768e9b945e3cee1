"""The pages of the form for a new job, put together for who asks: fields, notes, offers, and their right."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request, Response
from msgspec.structs import replace

from backend.auth.caller import Caller
from backend.authorization import Action, may
from backend.error_responses import status_of
from backend.runtime import Runtime
from backend.web.new_job.draft import Draft, Notes, absences, field_views, loose_notes, notes_on, shown_fields
from backend.web.new_job.offers import free_machines, offers_for
from backend.web.rendering import Site
from backend_client.errors import BackendError
from backend_client.example import example_command
from backend_client.models import JobSpec
from backend_client.protocol import FieldRule, Plan, Use
from backend_client.server.capabilities import merge
from backend_client.spec_file import spec_yaml
from backend_client.text.form_fields import FIRST, KINDS, LABELS, by_field, fold_words


class JobDesk:
    """What the form's routes share."""

    def __init__(self, request: Request, runtime: Runtime, caller: Caller, site: Site) -> None:
        self.runtime, self.caller = runtime, caller
        self._request, self._site = request, site
        links = runtime.jobs.hub.links
        infos = [cluster.info(links[cluster.name]) for cluster in runtime.jobs.clusters]
        self._several = len(infos) > 1
        self.rules: Mapping[str, FieldRule] = merge(infos).fields
        """What all clusters make of each field: what one alone refuses, its plan says."""

    async def form(
        self,
        draft: Draft,
        *,
        error: BackendError | None = None,
        wrong: Mapping[str, str] | None = None,
        again: str = "",
        file: str = "",
        unfold: bool = False,
    ) -> Response:
        """Show the form. `error`: why nothing was made; `wrong`: field -> what else is wrong with it.

        `unfold`: with the fields that are else folded.
        """
        cluster = draft.texts.get("cluster", "").strip()
        offers = await offers_for(self.runtime, self.caller, self.rules, cluster)
        notes = notes_on(draft, self.rules, offers.machines)
        said = {**(error.fields if error else {}), **(wrong or {})}
        notes = replace(notes, errors={**said, **notes.errors})
        views = field_views(draft, self.rules, notes, offers.choices, offers.machines)
        shown = [view.name for view in views]
        # One of several clusters has to be chosen, and what all other fields can be hangs on it.
        first = ("cluster", *FIRST) if self._several else FIRST
        rest = [view for view in views if view.name not in first]
        decision = may(self.caller, Action.CREATE)
        invalid = wrong and self._request.method != "GET"
        return self._site.page(
            self._request,
            "new_job.html",
            caller=self.caller,
            status=status_of(error) if error else _status(bool(invalid)),
            draft=draft,
            views={view.name: view for view in views},
            first=first,
            labels=LABELS,
            kinds=KINDS,
            rest=rest,
            fold=fold_words(len(rest), [view.name for view in rest if view.text]),
            unfold=unfold or any(view.error or view.warning or view.marked for view in rest),
            reasons={name: self.rules[name].why for name in first if name not in shown},
            refusals=absences(self.rules, shown),
            error=error,
            wrong=[view for view in views if view.error],
            loose=loose_notes(notes, shown),
            again=again,
            file=file,
            recent=offers.recent,
            example=example_command() if self.rules["image"].use is Use.REFUSED else "",
            why=decision.why,
        )

    async def plan(self, draft: Draft, spec: JobSpec, plan: Plan, *, asked: bool = False) -> Response:
        """Show what would be made, with the button that makes it. `asked`: the value of a secret lacks."""
        machines = await free_machines(self.runtime, self.caller)
        errors = by_field(plan.errors)
        return self._site.page(
            self._request,
            "plan.html",
            caller=self.caller,
            status=_status(bool(errors or asked)),
            draft=draft,
            spec=spec,
            spec_file=spec_yaml(spec),
            plan=plan,
            errors=errors,
            warnings=by_field(plan.warnings),
            remarks=notes_on(draft, self.rules, machines).remarks,
            asked=asked,
        )

    async def notes(self, draft: Draft, notes: Notes, place: str) -> Response:
        """Show what is said at each field, as a part of the page."""
        shown = shown_fields(draft, self.rules)
        views = field_views(draft, self.rules, notes, {}, None)
        return self._site.page(
            self._request, "job_notes.html", views=views, loose=loose_notes(notes, shown), place=place
        )


def _status(wrong: bool) -> int:
    return HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK

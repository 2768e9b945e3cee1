"""The rows of the page's list: each rendered once when its job has changed, for all pages and all streams."""

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from backend.clusters.event_log import Batch, CachedJob, Key
from backend.clusters.hub import Hub
from backend.web.rendering import Site, ago
from backend_client.job_order import haystack
from backend_client.models import JobRef
from backend_client.server.wire import ClusterLink, Lagged, Step, encode, frame, watch_frame
from backend_client.text.clusters import link_sentence
from backend_client.text.job_cells import JOB_CELLS, cell_text
from backend_client.text.sanitize import clean

SHOWN = ("gpus", "age", "loss", "util", "mem", "owner", "progress")
COLUMNS = tuple(cell for cell in JOB_CELLS if cell.name in SHOWN)
"""The columns behind mark, name and state."""
_AGE = "\0"
"""Where the age goes into a row: it is the only cell that changes by itself."""


class Row(Struct, frozen=True):
    """A row of the list as HTML, with its age left out, and what a page needs to put it in its place."""

    before: str
    after: str
    created: datetime
    fields: bytes
    """JSON of what the script sorts, groups and filters by."""

    def html(self, now: datetime) -> Markup:
        """Return the row as it is now."""
        return Markup(f"{self.before}{ago(self.created, now)}{self.after}")  # noqa: S704  both parts were rendered


class RowRenderer:
    """The rows of all jobs, in memory until their job changes or goes."""

    def __init__(self, site: Site, hub: Hub) -> None:
        self._site = site
        self._rows: dict[Key, tuple[CachedJob, Row]] = {}
        hub.subscribe(self._forget)

    def row(self, cached: CachedJob) -> Row:
        """Return the row of a job."""
        kept = self._rows.get(cached.key)
        if kept is None or kept[0] is not cached:
            kept = self._rows[cached.key] = (cached, self._render(cached))
        return kept[1]

    def _render(self, cached: CachedJob) -> Row:
        job = cached.job
        now = datetime.now(UTC)
        html = self._site.fragment(
            "row.html", job=job, age=_AGE, cells=COLUMNS, text=lambda cell: cell_text(cell, job, now)
        )
        before, after = html.split(_AGE)
        fields = {
            "uid": job.ref.uid,
            "name": job.name,
            "created": job.created.timestamp(),
            "rank": job.state.style.rank,
            "state": job.state.value,
            "owner": job.owner,
            "sweep": job.spec.sweep.name,
            "words": haystack(job),
        }
        return Row(before, after, job.created, encode(fields))

    def _forget(self, batch: Batch) -> None:
        for key in batch.removed:
            self._rows.pop(key, None)


class RowFrames:
    """The frames of a page's stream: rows as finished HTML (see `FrameFormat`)."""

    lagged = watch_frame(Lagged("more happened than was read; the list is read again"))

    def __init__(self, renderer: RowRenderer) -> None:
        self._renderer = renderer

    def snapshot(self, jobs: Sequence[CachedJob], id: str) -> bytes:  # noqa: A002  the field's name
        """Send none: the page has a list already, which it reads again, as it cannot go on behind it."""
        return frame("reread", encode(len(jobs)), id)

    def changed(self, jobs: Sequence[CachedJob]) -> bytes:
        return frame("rows", b"[" + b",".join(map(self._row, jobs)) + b"]")

    def _row(self, cached: CachedJob) -> bytes:
        row = self._renderer.row(cached)
        html = encode(f"{row.before}{ago(row.created, row.created)}{row.after}")
        return b'{"fields":' + row.fields + b',"html":' + html + b"}"

    def gone(self, refs: Sequence[JobRef]) -> bytes:
        return frame("gone", encode([ref.uid for ref in refs]))

    def link(self, link: ClusterLink) -> bytes:
        told = {"cluster": link.cluster, "sentence": link_sentence(link)}
        return frame("link", encode(told))

    def step(self, step: Step) -> bytes:
        return step_frame(step)


def step_frame(step: Step) -> bytes:
    """Encode a step of a deletion for a page, which shows it as it comes."""
    return watch_frame(replace(step, message=clean(step.message, 300)))

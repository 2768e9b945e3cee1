"""The rows of the list: rendered once for all who look, and told to those alone who may see them."""

import json

from backend.clusters.event_log import Audience
from backend.clusters.hub import Hub, Owner
from backend.web.rendering import Site
from backend.web.rows import RowFrames, RowRenderer
from backend_client.models import JobState
from backend_client.protocol import Changed, Gone
from tests.backend.support.visitor import parse
from tests.support.scripted import make_job

ANN, BOB = Owner(1, "ann"), Owner(2, "bob")


class CountingSite(Site):
    """Counts what it renders."""

    rendered = 0

    def fragment(self, template, **context):
        self.rendered += 1
        return super().fragment(template, **context)


def events(part):
    """Return (event, data) of a part of a stream."""
    found = []
    for one in part.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in one.split("\n"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def site_with(*owned):
    hub, site = Hub(), CountingSite("/below")
    hub.add("scripted")
    form = RowFrames(RowRenderer(site, hub))
    for owner, job in owned:
        hub.claim(owner, job)
    return hub, site, form


async def follow(hub, form, audience):
    """Begin behind what is there now, as a page does; the stream's first part is the link."""
    stream = hub.frames(audience, hub.last_id(audience), form)
    assert [name for name, _ in events(await anext(stream))] == ["link"]
    return stream


async def test_a_change_is_rendered_once_and_told_to_who_may_see_it():
    job = make_job("bert", JobState.RUNNING)
    hub, site, form = site_with((ANN, job), (BOB, make_job("other")))
    audiences = [
        Audience(frozenset({1})),
        Audience(None),
        Audience(frozenset({1, 2})),
        Audience(frozenset({2})),
    ]
    streams = [await follow(hub, form, audience) for audience in audiences]
    hub.apply("scripted", [Changed((make_job("bert", JobState.FAILED, uid=job.ref.uid),))])
    hub.apply("scripted", [Gone((make_job("other").ref,))])
    told = [[part for part in events(await anext(stream)) if part[0] != "link"] for stream in streams]
    assert [[name for name, _ in one] for one in told] == [
        ["rows"],
        ["gone", "rows"],
        ["gone", "rows"],
        ["gone"],
    ]
    assert site.rendered == 1
    row = told[0][0][1][0]
    assert row["fields"]["state"] == "Failed"
    cells = parse(f"<table><tbody>{row['html']}</tbody></table>")
    assert cells.one("th").one("a")["href"].startswith("/below/jobs/bert?")
    for stream in streams:
        await stream.aclose()


async def test_a_page_that_is_too_old_is_told_to_read_its_list_again():
    hub, site, form = site_with((ANN, make_job("bert")))
    stream = hub.frames(Audience(None), "of-another-server-5", form)
    assert [name for name, _ in events(await anext(stream))] == ["link"]
    assert events(await anext(stream)) == [("reread", 1)]
    assert not site.rendered
    await stream.aclose()

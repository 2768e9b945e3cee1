"""GET /metrics: who may read it, what it tells, and what a database or a cluster that is away costs it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from backend.clusters.hub import Owner
from backend.db.models import ChannelRow, OutboxRow
from backend.metrics import scrape
from backend.metrics.server_metrics import source_families
from backend.settings import server_settings
from backend_client.errors import Invalid, Unreachable
from backend_client.models import Job, JobRef, JobSpec, JobState
from backend_client.usage import Measure, UsageSource
from tests.backend.conftest import PASSWORD, login, person
from tests.backend.support.people import serving
from tests.backend.support.prometheus import promtool

TOKEN = "m3trics-0123456789"
NOW = datetime.now(UTC)
SHOWS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Make every text anew."""
    monkeypatch.setattr(scrape, "GOOD_FOR_SECONDS", -1.0)
    monkeypatch.setattr(scrape, "ROWS_GOOD_FOR_SECONDS", -1.0)


async def figures(client, headers=SHOWS):
    """Scrape; return {name{labels}: value}."""
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = (line for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_it_is_read_by_who_shows_the_token_and_by_admins_alone(app, client):
    statuses = {}
    for who, headers in (
        ("nobody", {}),
        ("token", SHOWS),
        ("small letters", {"Authorization": f"bearer {TOKEN}"}),
        ("another token", {"Authorization": f"Bearer {TOKEN}x"}),
        ("not ascii", {"Authorization": "Bearer mätrics".encode()}),
        ("basic", {"Authorization": f"Basic {TOKEN}"}),
        ("admin", await login(app, "root", "admin")),
        ("researcher", await login(app, "ann")),
        ("viewer", await login(app, "eve", "viewer")),
    ):
        statuses[who] = (await client.get("/metrics", headers=headers)).status_code
    assert statuses == {
        "nobody": 401,
        "token": 200,
        "small letters": 200,
        "another token": 401,
        "not ascii": 401,
        "basic": 401,
        "admin": 200,
        "researcher": 403,
        "viewer": 403,
    }


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_the_token_opens_nothing_else_and_without_one_in_the_settings_none_does(settings, tmp_path):
    async with serving(settings.model_copy(update={"metrics_token": SecretStr("")})) as app:
        await person(app, "root", "admin")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for bearer in ("", TOKEN):
                answer = await client.get("/metrics", headers={"Authorization": f"Bearer {bearer}"})
                assert answer.status_code == 401


async def test_the_token_is_no_login(client):
    for path in ("/api/jobs", "/api/users", "/api/auth/me"):
        assert (await client.get(path, headers=SHOWS)).status_code == 401


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("short", "write at least 16 letters, digits and signs"),
        ("has a blank in it here", "has characters that no token has"),
        ("ünicode-ünicode-ünicode", "has characters that no token has"),
    ],
)
def test_a_token_that_is_guessed_or_cannot_be_sent_is_refused_and_not_quoted(text, why, monkeypatch):
    monkeypatch.setenv("TRAINDECK_SERVER_METRICS_TOKEN", text)
    with pytest.raises(Invalid) as error:
        server_settings({})
    assert error.value.fields == {"metrics_token": why}
    assert text not in str(error.value)


def job(uid, state=JobState.RUNNING, **spec):
    ref = JobRef("c", "td-ann", "job", uid, uid)
    return Job(ref=ref, state=state, spec=JobSpec(name=uid, **spec), created=NOW)


async def test_what_the_hub_and_the_rows_know_is_told(app, client):
    hub = app.state.runtime.jobs.hub
    hub.add("c")
    ann = await person(app, "ann")
    hub.claim(Owner(ann, "ann"), job("a", gpus=4))
    hub.claim(Owner(ann, "ann"), job("b", JobState.FAILED))
    found = await figures(client)
    assert found['traindeck_jobs{cluster="c",state="Running"}'] == 1
    assert found['traindeck_jobs{cluster="c",state="Queued"}'] == 0
    assert found['traindeck_owner_jobs{owner="ann",state="Failed"}'] == 1
    assert found['traindeck_job_gpus{cluster="c",use="unknown"}'] == 4
    assert found['traindeck_cluster_watch{cluster="c",state="stale"}'] == 1
    assert 0 <= found['traindeck_cluster_watch_age_seconds{cluster="c"}'] < 600
    assert found["traindeck_database_up"] == 1
    assert found["process_open_fds"] > 3
    assert found["process_resident_memory_bytes"] > 2**20
    assert abs(found["process_start_time_seconds"] - NOW.timestamp()) < 86400


async def test_messages_are_counted_by_state_and_the_one_that_is_overdue_is_told(app, client):
    ann, now = await person(app, "ann"), datetime.now(UTC)
    assert (await figures(client))["traindeck_delivery_overdue_seconds"] == 0
    async with app.state.runtime.database.write() as session:
        channel = ChannelRow(user_id=ann, name="m", kind="email", shown="a@b", address=b"x", created=NOW)
        session.add(channel)
        await session.flush()
        for number, (state, due) in enumerate(
            [("waiting", now - timedelta(hours=2)), ("waiting", now + timedelta(hours=9)), ("failed", now)]
        ):
            session.add(
                OutboxRow(
                    channel_id=channel.id, key=str(number), message="{}", state=state, due=due, created=NOW
                )
            )
    found = await figures(client)
    states = {
        state: found[f'traindeck_deliveries{{state="{state}"}}'] for state in ("waiting", "held", "sent")
    }
    assert states == {"waiting": 2, "held": 0, "sent": 0}
    assert found['traindeck_deliveries{state="failed"}'] == 1
    passed = (datetime.now(UTC) - now).total_seconds()
    assert 7200 <= found["traindeck_delivery_overdue_seconds"] <= 7200 + passed


async def test_requests_and_refused_logins_are_counted(app, client):
    before = await figures(client)
    await client.get("/livez")
    await client.get("/api/jobs/never-made", headers=await login(app, "ann"))
    await client.get("/wp-login.php")
    await client.request("BREW", "/livez")
    await client.post("/api/auth/login", json={"user": "ann", "password": "not the right one"})
    await client.post("/api/auth/login", json={"user": "ann", "password": PASSWORD})
    await client.get("/api/jobs", headers={"Authorization": "Bearer td_ended"})
    after = await figures(client)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['traindeck_requests_total{method="GET",route="/livez",status="200"}'] == 1
    assert grown['traindeck_requests_total{method="GET",route="/api/jobs/{name}",status="404"}'] == 1
    assert grown['traindeck_requests_total{method="GET",route="other",status="404"}'] == 1
    assert sum(value for name, value in grown.items() if 'method="other"' in name) == 1
    assert "never-made" not in str(after)
    assert grown['traindeck_logins_refused_total{why="password"}'] == 1
    assert grown['traindeck_logins_refused_total{why="token"}'] == 1
    assert grown["traindeck_request_seconds_count"] == 8  # the first scrape too
    assert grown['traindeck_request_seconds_bucket{le="+Inf"}'] == 8


def test_a_source_is_up_while_it_tells_anything_and_one_that_is_silent_now_is_not():
    sources = {
        "lab": [
            UsageSource(name="Prometheus", gives=(Measure.POWER,)),
            UsageSource(name="metrics.k8s.io", missing="no answer", since=NOW),
            UsageSource(name="never", missing="none is set"),
        ],
        "quiet": [],
    }
    (family,) = source_families(sources)
    assert {sample.labels["source"]: sample.value for sample in family.samples} == {
        "Prometheus": 1,
        "metrics.k8s.io": 0,
        "never": 0,
    }


async def test_without_a_database_the_token_still_reads_the_rest(app, client, monkeypatch):
    assert (await figures(client))["traindeck_database_up"] == 1

    def away():
        raise Unreachable("The server's database does not answer.")

    monkeypatch.setattr(app.state.runtime.database, "read", away)
    found = await figures(client)
    assert found["traindeck_database_up"] == 0
    assert not [name for name in found if re.match("traindeck_deliver", name)]
    assert "process_open_fds" in found


async def test_promtool_finds_nothing_wrong_with_it(app, client):
    hub = app.state.runtime.jobs.hub
    hub.add('odd "name"\n')
    hub.claim(Owner(1, "ann"), job("a", queue="q"))
    text = (await client.get("/metrics", headers=SHOWS)).content
    assert promtool("check", "metrics", text=text) == (0, "")


async def test_many_who_ask_at_once_cost_one(app, client, monkeypatch):
    monkeypatch.setattr(scrape, "GOOD_FOR_SECONDS", 3600.0)
    made = []
    inner = scrape.render
    monkeypatch.setattr(scrape, "render", lambda families: made.append(1) or inner(families))
    await asyncio.gather(*(client.get("/metrics", headers=SHOWS) for _ in range(20)))
    assert len(made) == 1

"""What everything that knows alerts promises: a server by itself, elsewhere the rules over an open watch."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.alerts.alert import AlertState, AlertWishes, HasAlerts, HasAlertWishes, QuietHours
from backend_client.errors import Invalid, NotFound
from backend_client.protocol import Feature, Scope
from tests.contract.support.harness import finished, needs
from tui.alerts.alert_watch import AlertWatch

DEADLINE = 30.0


@pytest.fixture
async def alerts(backend):
    """The `HasAlerts` of a context: the backend itself, or the rules that a program runs over its watch."""
    if Feature.ALERTS in backend.features:
        yield backend
        return
    watch = AlertWatch({}, datetime.now(UTC) - timedelta(minutes=1))
    feeds = asyncio.create_task(feed(watch, backend))
    yield watch
    feeds.cancel()
    await asyncio.gather(feeds, return_exceptions=True)


async def feed(watch, backend):
    async with contextlib.aclosing(backend.watch([Scope()])) as batches:
        async for batch in batches:
            watch.observe(batch, datetime.now(UTC))


async def of_job(alerts, job, count=1):
    """The alerts of a job, once there are so many."""
    found = []
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                found = [one for one in (await alerts.alerts()).items if one.job.uid == job.ref.uid]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {DEADLINE} s; last seen: {found}") from None


async def failed(harness, backend, key="k"):
    job = await backend.create(harness.spec("exit 3", name=key), key=key, secrets={})
    return await finished(backend, job.ref)


async def test_it_has_the_methods(alerts):
    assert isinstance(alerts, HasAlerts)
    assert (await alerts.alerts()).items == ()
    assert (await alerts.alerts(everybody=True)).items == ()


async def test_a_job_that_fails_is_told_of_once(harness, backend, alerts):
    first = await failed(harness, backend)
    second = await failed(harness, backend, "l")
    (alert,) = await of_job(alerts, first)
    await of_job(alerts, second)
    assert (alert.rule, alert.state, alert.episode) == ("failed", AlertState.FIRING, 1)
    assert alert.job == first.ref
    assert alert.job.name in alert.sentence
    assert alert.fired.tzinfo is not None
    everybodys = (await alerts.alerts(everybody=True)).items
    assert len([one for one in everybodys if one.job.uid == first.ref.uid]) == 1
    assert len(await of_job(alerts, first)) == 1


async def test_one_that_ends_well_or_is_stopped_is_not_told(harness, backend, alerts):
    good = await backend.create(harness.spec("true", name="good"), key="good", secrets={})
    stopped = await backend.create(harness.spec("sleep 60", name="stopped"), key="stopped", secrets={})
    await finished(backend, good.ref)
    await backend.stop(stopped.ref)
    await finished(backend, stopped.ref)
    await of_job(alerts, await failed(harness, backend, "bad"))
    told = {one.job.uid for one in (await alerts.alerts()).items}
    assert told.isdisjoint({good.ref.uid, stopped.ref.uid})


async def test_it_is_acknowledged_and_snoozed(harness, backend, alerts):
    job = await failed(harness, backend)
    (alert,) = await of_job(alerts, job)
    until = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    snoozed = await alerts.snooze(alert.id, until)
    assert (snoozed.id, snoozed.snoozed_until, snoozed.acknowledged) == (alert.id, until, None)
    seen = await alerts.acknowledge(alert.id)
    assert seen.acknowledged
    assert seen.snoozed_until is None
    again = await alerts.acknowledge(alert.id)
    assert again.acknowledged
    (listed,) = await of_job(alerts, job)
    assert listed.acknowledged


async def test_an_alert_that_is_not_there_is_not_found(alerts):
    until = datetime.now(UTC) + timedelta(hours=1)
    for ask in (alerts.acknowledge("999999999"), alerts.snooze("999999999", until)):
        with pytest.raises(NotFound):
            await ask


async def test_what_a_person_wants_is_kept_and_what_cannot_be_read_is_named(backend):
    needs(backend, Feature.ALERTS)
    assert isinstance(backend, HasAlertWishes)
    assert (await backend.alert_wishes()).channels == ()
    quiet = QuietHours(start="22:00", end="07:00", zone="Europe/Berlin")
    wanted = AlertWishes(rules={"gpu-idle": "45m", "finished": "on"}, quiet=quiet)
    assert await backend.set_alert_wishes(wanted) == wanted
    assert await backend.alert_wishes() == wanted
    with pytest.raises(Invalid) as caught:
        await backend.set_alert_wishes(AlertWishes(rules={"gpu-idle": "soon"}))
    assert "gpu-idle" in " ".join(caught.value.fields)
    assert await backend.alert_wishes() == wanted
    for ask in (backend.remove_channel("none"), backend.test_channel("none")):
        with pytest.raises(NotFound):
            await ask


async def test_a_rule_that_is_off_for_a_person_or_a_job_is_not_told(harness, backend, alerts):
    quiet = await backend.create(
        harness.spec("exit 3", name="quiet", alerts={"failed": "off"}), key="quiet", secrets={}
    )
    await finished(backend, quiet.ref)
    await of_job(alerts, await failed(harness, backend, "loud"))
    assert quiet.ref.uid not in {one.job.uid for one in (await alerts.alerts()).items}

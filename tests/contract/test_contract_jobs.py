"""What every backend promises about jobs: made once, told truly, stopped, deleted."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from msgspec.structs import replace

from backend_client.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from backend_client.gpu_nodes import Whose
from backend_client.gpu_sums import pools_of
from backend_client.models import JobRef, JobState
from backend_client.models.fields import DEFAULTS, FIELD_NAMES, parse_field
from backend_client.models.secret import Secret
from backend_client.protocol import (
    AccessReview,
    Changed,
    Feature,
    Freshness,
    FreshnessState,
    Gone,
    JobQuery,
    Scope,
    Snapshot,
    Synced,
    Use,
    Verb,
)
from backend_client.sweeps import SweepRequest, expand, job_key
from tests.contract.support.harness import DEADLINE, finished, log_items, log_text, needs, until
from tests.support.wait import async_until


async def names(backend, **query):
    return [job.name for job in (await backend.list(JobQuery(**query))).items]


async def delete(backend, ref):
    return [step.message async for step in backend.delete(ref)]


async def finds_nothing(backend, ref):
    """Whether a deletion says that there is no such job. One that broke on its way, and was sent again, does
    not know whether the first try was heard.
    """
    try:
        assert await delete(backend, ref) == []
    except NotFound as error:
        return ref.name in str(error)
    return False


def running(job):
    return job.state == JobState.RUNNING


async def test_every_field_and_feature_has_a_word(backend):
    assert set(backend.fields) == set(FIELD_NAMES)
    assert all(rule.why for rule in backend.fields.values() if rule.use == Use.REFUSED)
    assert {*backend.features, *backend.missing_features} == set(Feature)
    assert not backend.features & set(backend.missing_features)
    assert all(backend.missing_features.values())


async def test_the_jobs_of_a_sweep_are_found_and_take_turns(harness, backend):
    request = SweepRequest(each={"lr": ("1", "2")}, at_once=1)
    first, second = (
        replace(harness.spec("sleep 1", name=f"lrs-{spec.sweep.values['lr']}"), sweep=spec.sweep)
        for spec in expand({"name": "lrs-{lr}", "command": "x"}, request)
    )
    await backend.create(harness.spec("true", name="other"), key="k", secrets={})
    jobs = [
        await backend.create(spec, key=job_key("k", number), secrets={})
        for number, spec in ((0, first), (1, second), (0, first))
    ]
    assert jobs[0].ref == jobs[2].ref
    assert sorted(await names(backend, sweep="lrs")) == ["lrs-1", "lrs-2"]
    assert await names(backend, sweep="lr") == []
    ended = [await finished(backend, job.ref) for job in jobs[:2]]
    assert [job.spec.sweep for job in ended] == [first.sweep, second.sweep]
    spans = sorted((job.attempts[0].started, job.attempts[0].finished) for job in ended)
    assert spans[0][1] <= spans[1][0]


async def test_a_job_runs_to_its_end(harness, backend):
    labels, notes = {"team": "nlp"}, {"note": "first try"}
    spec = harness.spec("echo hello", name="probe", labels=labels, annotations=notes)
    job = await backend.create(spec, key="k", secrets={})
    assert (job.ref.context, job.name, job.ref.kind) == (backend.context, "probe", "job")
    done = await finished(backend, job.ref)
    assert (done.state, done.exit_code, done.reason) == (JobState.SUCCEEDED, 0, "")
    assert done.created <= done.started <= done.finished
    assert [attempt.number for attempt in done.attempts] == [1]
    assert (done.spec.labels, done.spec.annotations) == (labels, notes)

    async def told_alike():
        return await finished(backend, job.ref) == await backend.get(job.ref)

    # A cluster has an end twice: its pod's at once, the Job's own, maybe a second later, a moment after it.
    await async_until(told_alike)
    assert await log_text(backend, job.ref) == b"hello\n"


async def test_what_comes_back_submits_the_same_job(harness, backend):
    first = await backend.create(harness.spec("exit 0", name="one"), key="1", secrets={})
    again = await backend.create(replace(first.spec, name="two"), key="2", secrets={})
    assert replace(again.spec, name="one") == first.spec


async def test_a_failure_says_why(harness, backend):
    job = await backend.create(harness.spec("echo No such file: data.csv >&2; exit 3"), key="k", secrets={})
    done = await finished(backend, job.ref)
    assert (done.state, done.exit_code) == (JobState.FAILED, 3)
    assert done.reason == "exit 3: No such file: data.csv"
    assert done.attempts[-1].reason


async def test_the_same_key_is_the_same_job(harness, backend):
    spec = harness.spec("sleep 600")
    jobs = await asyncio.gather(*(backend.create(spec, key="same", secrets={}) for _ in range(5)))
    assert len({job.ref for job in jobs}) == 1
    assert len((await backend.list(JobQuery())).items) == 1


async def test_a_client_killed_at_any_step_of_create_makes_one_job(harness, backend, tmp_path):
    ran, step = tmp_path / "ran", 0
    while True:
        step += 1
        spec = harness.spec(f"echo {step} >> {ran}", name=f"step-{step}")
        killed = await harness.crash_create(spec, f"key-{step}", step)
        job = await backend.create(spec, key=f"key-{step}", secrets={})
        assert (await finished(backend, job.ref)).state == JobState.SUCCEEDED
        assert await names(backend) == [f"step-{step}"]
        await delete(backend, job.ref)  # else the steps grow with the jobs, and have no end
        if not killed:
            break
    assert step > 10
    assert ran.read_text().split() == [str(number + 1) for number in range(step)]


async def test_names_are_unique_and_only_a_suggested_one_gives_way(harness, backend):
    spec = harness.spec("exit 0", name="mine")
    await backend.create(spec, key="1", secrets={})
    with pytest.raises(Conflict, match=r"mine|is taken in the namespace that all share"):
        await backend.create(spec, key="2", secrets={})
    with pytest.raises(Conflict, match=r"mine|is taken in the namespace that all share"):
        await backend.create(replace(spec, kind="deployment"), key="3", secrets={})
    unnamed = replace(spec, name="")
    first = await backend.create(unnamed, key="4", secrets={})
    second = await backend.create(unnamed, key="5", secrets={})
    assert second.name == f"{first.name}-2"


async def test_refused_fields_are_refused_by_name(harness, backend):
    refused = {name for name, rule in backend.fields.items() if rule.use == Use.REFUSED}
    samples = harness.refused()
    assert refused <= set(samples)
    for name in refused:
        value = parse_field(name, samples[name])
        assert value != getattr(DEFAULTS, name)
        spec = replace(harness.spec("exit 0"), **{name: value})
        with pytest.raises(Refused) as caught:
            await backend.create(spec, key=f"refused-{name}", secrets={})
        assert caught.value.fields == {name: backend.fields[name].why}
        assert [notice.field for notice in (await backend.plan(spec)).errors] == [name]
    assert await names(backend) == []


async def test_required_fields_are_asked_for(harness, backend):
    for name, rule in backend.fields.items():
        if rule.use == Use.REQUIRED:
            spec = replace(harness.spec("exit 0"), **{name: getattr(DEFAULTS, name)})
            with pytest.raises(Invalid) as caught:
                await backend.create(spec, key=f"required-{name}", secrets={})
            assert name in caught.value.fields


async def test_the_plan_is_what_create_does(harness, backend):
    spec = harness.spec("echo $WORD", env={"WORD": "hello"}, secrets=("TOKEN",))
    plan = await backend.plan(spec)
    assert plan.errors == ()
    assert "hello" in plan.yaml
    assert "PYTHONUNBUFFERED" in plan.yaml
    assert list(yaml.safe_load_all(plan.yaml))
    assert plan.place
    job = await backend.create(spec, key="k", secrets={"TOKEN": Secret("s3cr3t")})
    assert job.name == plan.name
    taken = await backend.plan(replace(spec, name=job.name))
    assert taken.advice == "", "it is told at the first create alone"
    assert [notice.field for notice in taken.errors] == ["name"]


async def test_env_and_secrets_reach_the_job_and_nobody_else(harness, backend):
    spec = harness.spec('echo "$PLAIN ${#TOKEN} $PYTHONUNBUFFERED"', env={"PLAIN": "a b"}, secrets=("TOKEN",))
    with pytest.raises(Invalid) as caught:
        await backend.create(spec, key="without", secrets={})
    assert "TOKEN" in caught.value.fields["secrets"]
    job = await backend.create(spec, key="with", secrets={"TOKEN": Secret("s3cr3t")})
    done = await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b"a b 6 1\n"
    assert "s3cr3t" not in f"{done} {await backend.events(job.ref)} {await backend.plan(spec)}"


async def test_stop_is_final_and_can_be_repeated(harness, backend):
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    await until(backend, job.ref, running)
    assert (await backend.stop(job.ref)).state in (JobState.STOPPING, JobState.STOPPED)
    done = await finished(backend, job.ref)
    assert done.state == JobState.STOPPED
    assert done.finished
    assert (await backend.stop(job.ref)).state == JobState.STOPPED


async def test_stop_leaves_an_ended_job_as_it_is(harness, backend):
    job = await backend.create(harness.spec("exit 4"), key="k", secrets={})
    done = await finished(backend, job.ref)

    async def same_before_and_after():
        """Also a Job controller has written its own moment of the end by then."""
        before = await backend.get(job.ref)
        after = [await backend.stop(job.ref), await backend.get(job.ref)]
        return before if after == [before, before] else None

    left = await async_until(same_before_and_after, DEADLINE)
    assert (left.state, left.reason, left.exit_code) == (done.state, done.reason, 4)


async def test_delete_stops_first_and_goes_by_uid(harness, backend):
    spec = harness.spec("sleep 600", name="same")
    old = await backend.create(spec, key="1", secrets={})
    await until(backend, old.ref, running)
    assert any("stop" in message for message in await delete(backend, old.ref))
    new = await backend.create(spec, key="2", secrets={})
    for act in (backend.get(old.ref), backend.stop(old.ref)):
        with pytest.raises(NotFound):
            await act
    await async_until(lambda: finds_nothing(backend, old.ref))
    assert (await backend.get(new.ref)).name == "same"


async def test_a_deletion_that_nobody_waits_for_goes_on_alone(harness, backend):
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    await until(backend, job.ref, running)
    async for step in backend.delete(job.ref, wait=False):
        assert step.message

    async def is_empty():
        return not await names(backend)

    await async_until(is_empty, DEADLINE)


async def test_all_verbs_say_that_there_is_no_such_job(backend):
    ref = JobRef(backend.context, "", "job", "nobody", "no-such-uid")
    for act in (
        backend.get(ref),
        backend.stop(ref),
        backend.events(ref),
        log_text(backend, ref),
    ):
        with pytest.raises(NotFound, match="nobody"):
            await act
    await async_until(lambda: finds_nothing(backend, ref))


async def test_resume_where_it_is_absent_is_refused_in_words(harness, backend):
    if Feature.RESUME not in backend.features:
        job = await backend.create(harness.spec("exit 0"), key="k", secrets={})
        with pytest.raises(Refused):
            await backend.resume(job.ref)


async def test_resume_goes_on(harness, backend):
    needs(backend, Feature.RESUME)
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    await until(backend, job.ref, running)
    await backend.stop(job.ref)
    await finished(backend, job.ref)
    await backend.resume(job.ref)
    await until(backend, job.ref, running)


async def test_a_list_is_newest_first_in_pages(harness, backend):
    for number in range(5):
        await backend.create(harness.spec("exit 0", name=f"job-{number}"), key=str(number), secrets={})
    listed = (await backend.list(JobQuery())).items
    newest = [job.name for job in listed]
    ages = [job.created for job in listed]
    assert ages == sorted(ages, reverse=True)
    assert set(newest) == {f"job-{number}" for number in range(5)}
    if len(set(ages)) == 5:  # a cluster tells seconds only
        assert newest == [f"job-{number}" for number in reversed(range(5))]
    found, after = [], ""
    while True:
        page = await backend.list(JobQuery(limit=2), after=after)
        found += [job.name for job in page.items]
        if not (after := page.next):
            break
        assert len(page.items) == 2
    assert found == newest


async def test_a_list_is_filtered(harness, backend):
    red = await backend.create(harness.spec("exit 1", name="red", labels={"c": "r"}), key="1", secrets={})
    blue = await backend.create(harness.spec("exit 0", name="blue", labels={"c": "b"}), key="2", secrets={})
    await finished(backend, red.ref)
    await finished(backend, blue.ref)
    assert await names(backend, labels={"c": "r"}) == ["red"]
    assert await names(backend, name="blue") == ["blue"]
    assert await names(backend, states=frozenset({JobState.FAILED})) == ["red"]
    assert await names(backend, namespace=red.ref.namespace, labels={"c": "b"}) == ["blue"]
    with contextlib.suppress(Forbidden):  # nor are there jobs where one may not look
        assert await names(backend, namespace="no-such-place") == []


async def test_watch_gives_the_list_then_every_change(harness, backend):
    first = await backend.create(harness.spec("sleep 600", name="first"), key="1", secrets={})
    seen, synced = {}, asyncio.Event()

    async def look():
        async with contextlib.aclosing(backend.watch([Scope()])) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Freshness):
                        assert event.state == FreshnessState.LIVE
                    elif isinstance(event, Snapshot | Changed):
                        assert isinstance(event, Snapshot) != synced.is_set()
                        seen.update((job.name, job) for job in event.jobs)
                    elif isinstance(event, Gone):
                        for ref in event.refs:
                            del seen[ref.name]
                    elif isinstance(event, Synced):
                        synced.set()
                if synced.is_set() and "second" in seen and "first" not in seen:
                    return

    async with asyncio.timeout(DEADLINE):
        task = asyncio.create_task(look())
        await synced.wait()
        assert set(seen) == {"first"}
        await until(backend, first.ref, lambda job: job.state == JobState.RUNNING)
        await backend.create(harness.spec("sleep 600", name="second"), key="2", secrets={})
        await delete(backend, first.ref)
        await task


async def test_a_refresh_tells_what_has_changed_and_nothing_else(harness, backend):
    await backend.refresh()  # nobody watches: nothing to do
    await backend.create(harness.spec("sleep 600", name="first"), key="1", secrets={})
    told, synced, done = [], asyncio.Event(), asyncio.Event()

    async def look():
        async with contextlib.aclosing(backend.watch([Scope()])) as batches:
            async for batch in batches:
                told.extend(batch)
                if any(isinstance(event, Synced) for event in batch):
                    synced.set()
                if any(job.name == "second" for e in batch if isinstance(e, Changed) for job in e.jobs):
                    done.set()

    async with asyncio.timeout(DEADLINE):
        task = asyncio.create_task(look())
        await synced.wait()
        await backend.refresh()
        await backend.refresh()
        await backend.create(harness.spec("sleep 600", name="second"), key="2", secrets={})
        await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [type(e) for e in told if isinstance(e, Synced | Gone)] == [Synced]
    assert {e.state for e in told if isinstance(e, Freshness)} == {FreshnessState.LIVE}


async def test_a_deployment_is_started_again(harness, backend, tmp_path):
    """It crashes until that was seen, then stays: a node keeps the logs of the last two runs alone."""
    seen, stays = tmp_path / "seen", tmp_path / "stays"
    script = f"echo again; [ -e {seen} ] || exit 1; touch {stays}; sleep 600"
    spec = harness.spec(script, kind="deployment")
    job = await backend.create(spec, key="k", secrets={})
    crashed = await until(backend, job.ref, lambda job: job.state == JobState.FAILED)
    seen.touch()
    assert crashed.next_try
    assert not crashed.ended
    again = await until(backend, job.ref, lambda job: len(job.attempts) >= 2)
    assert again.restarts >= 1
    await async_until(stays.exists)

    async def log_of_the_last_crash():
        number = (await backend.get(job.ref)).attempts[-1].number
        with contextlib.suppress(NotFound):
            return await log_text(backend, job.ref, attempt=number - 1)

    assert await async_until(log_of_the_last_crash) == b"again\n"
    await backend.stop(job.ref)
    done = await finished(backend, job.ref)
    assert (done.state, done.next_try) == (JobState.STOPPED, None)


async def test_max_runtime_ends_a_job(harness, backend):
    job = await backend.create(harness.spec("sleep 600", max_runtime=1), key="k", secrets={})
    done = await finished(backend, job.ref)
    assert done.state == JobState.FAILED
    assert "max_runtime of 1s" in done.reason


async def test_a_job_is_let_run_longer_than_its_first_limit(harness, backend):
    job = await backend.create(harness.spec("sleep 600", max_runtime=8), key="k", secrets={})
    longer = await backend.extend(job.ref, 3600)
    assert longer.spec.max_runtime == 3600
    assert (await backend.extend(job.ref, 3600)).spec.max_runtime == 3600
    with pytest.raises(Refused, match="1h already"):
        await backend.extend(job.ref, 60)
    now = await until(backend, job.ref, running)
    over = now.started + timedelta(seconds=9)
    await async_until(lambda: datetime.now(UTC) > over)
    now = await backend.get(job.ref)
    assert (now.state, now.spec.max_runtime) == (JobState.RUNNING, 3600)
    await backend.stop(job.ref)
    await finished(backend, job.ref)
    with pytest.raises(Refused, match="has ended"):
        await backend.extend(job.ref, 7200)


async def test_a_job_without_a_limit_is_not_given_one(harness, backend):
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    with pytest.raises(Refused, match="no time limit"):
        await backend.extend(job.ref, 3600)


async def test_progress_is_read_out_of_the_log(harness, backend):
    job = await backend.create(harness.spec("echo 'step 3/10 loss 0.25'; sleep 600"), key="k", secrets={})
    await until(backend, job.ref, running)

    async def has_loss():
        return b"loss" in await log_text(backend, job.ref)

    await async_until(has_loss, DEADLINE)
    await backend.set_visible_jobs([job.ref])
    seen = await until(backend, job.ref, lambda job: job.progress)
    assert (seen.progress.step, seen.progress.total, seen.progress.loss) == (3, 10, 0.25)
    assert (await backend.get(job.ref)).progress == seen.progress


async def test_a_loss_that_is_no_number_arrives_as_a_word(harness, backend):
    spec = harness.spec("echo 'step 2/10 loss 0.25'; echo 'step 3/10 loss -Infinity'; sleep 600")
    job = await backend.create(spec, key="k", secrets={})
    await until(backend, job.ref, running)

    async def has_loss():
        return b"Infinity" in await log_text(backend, job.ref)

    await async_until(has_loss, DEADLINE)
    await backend.set_visible_jobs([job.ref])
    seen = await until(backend, job.ref, lambda job: job.progress and job.progress.step == 3)
    assert seen.progress.loss == "-inf"
    assert (await backend.get(job.ref)).progress == seen.progress


async def test_progress_comes_out_of_a_log_that_is_followed(harness, backend):
    job = await backend.create(harness.spec("echo 'step 3/10 loss 0.25'; sleep 600"), key="k", secrets={})
    reading = asyncio.create_task(log_items(backend, job.ref, follow=True))
    try:
        assert (await until(backend, job.ref, lambda job: job.progress)).progress.step == 3
    finally:
        reading.cancel()


async def test_events_are_in_their_order_and_tell_of_a_stop(harness, backend):
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    await until(backend, job.ref, lambda job: job.state == JobState.RUNNING)
    await backend.stop(job.ref)
    await finished(backend, job.ref)
    events = await backend.events(job.ref)
    assert events
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert all(event.reason and event.message for event in events)


async def test_who_may_what_and_where(harness, backend):
    me = await backend.whoami()
    assert me.user
    assert me.place
    job = await backend.create(harness.spec("exit 0"), key="k", secrets={})
    asks = [AccessReview(verb, job.ref) for verb in Verb] + [AccessReview(Verb.CREATE)]
    verdicts = await backend.check_access(asks)
    assert len(verdicts) == len(Verb) + 1
    assert all(verdict.why for verdict in verdicts if verdict.allowed is False)


async def test_capacity_is_known_or_hidden_in_words(backend):
    capacity = await backend.capacity(Scope())
    assert capacity.unknown_because or 0 <= capacity.free <= capacity.total
    assert all(pool.largest <= pool.free <= pool.total for pool in capacity.pools)


async def test_machines_add_up_to_the_capacity_and_name_ones_own_job_or_are_hidden_in_words(harness, backend):
    spec = replace(harness.spec("sleep 600"), gpus=1)
    job = await backend.create(spec, key="k", secrets={})
    await until(backend, job.ref, running)
    found, capacity = await backend.nodes(Scope()), await backend.capacity(Scope())
    assert bool(found.unknown_because) == bool(capacity.unknown_because)
    assert pools_of(found.nodes) == capacity.pools
    if not found.unknown_because:
        (mine,) = (held for node in found.nodes for held in node.holders if held.uid == job.ref.uid)
        assert (mine.gpus, mine.whose, mine.name) == (1, Whose.MINE, job.name)


async def test_what_is_offered_for_a_field_is_accepted_there(backend):
    for field in FIELD_NAMES:
        with contextlib.suppress(Forbidden, Refused):  # of a server: its own account may not look
            for choice in await backend.choices(field):
                assert parse_field(field, choice.value)
                assert backend.fields[field].use != Use.REFUSED

"""What every backend promises of a job that ended badly: a card that says how, out of its own log."""

from tests.contract.support.harness import finished


async def test_a_failure_has_a_card(harness, backend):
    script = "echo step 1; echo \"KeyError: 'x'\" >&2; exit 3"
    job = await backend.create(harness.spec(script), key="k", secrets={})
    job = await finished(backend, job.ref)
    found = await backend.explain(job.ref)
    assert found.sentence == job.reason
    assert found.failure
    assert (found.failure.exit, found.failure.said, found.failure.kind) == ("exit 3", "KeyError: 'x'", "")
    assert found.failure.where
    assert not [words for words in found.unknown if "log" in words]


async def test_what_ended_well_has_none(harness, backend):
    job = await backend.create(harness.spec("echo done"), key="k", secrets={})
    job = await finished(backend, job.ref)
    assert (await backend.explain(job.ref)).failure is None

"""Outputs: a folder of each job's own, which it knows by a variable, also at its next try; and its files."""

import pytest

from backend_client.errors import Invalid, NotFound
from backend_client.models import JobState
from backend_client.output_files import FileKind, HasFiles
from backend_client.protocol import Feature
from tests.contract.support.harness import DEADLINE, finished, log_text, needs, until
from tests.support.wait import async_until

TAKES_ITS_OWN = 'ls -A "$TRAINDECK_OUTPUT_DIR" && echo mine > "$TRAINDECK_OUTPUT_DIR/mine" && echo wrote'
FAILS_ONCE = """
cd "$TRAINDECK_OUTPUT_DIR"
[ -e first ] && { mkdir sub; touch "sub/it's"; printf 12345 > .a; mv .a a.bin; exec sleep 600; }
touch first; exit 1
"""


async def test_no_two_jobs_have_the_same_folder(harness, backend):
    place = harness.outputs()
    for key in ("one", "two"):
        job = await backend.create(
            harness.spec(TAKES_ITS_OWN, name="bert", outputs=place), key=key, secrets={}
        )
        ended = await finished(backend, job.ref)
        assert await log_text(backend, job.ref) == b"wrote\n"
        assert ended.outputs is not None
        async for _ in backend.delete(job.ref):
            pass


async def test_the_next_try_has_the_folder_of_the_first_and_its_files_are_listed(harness, backend):
    wanted = harness.spec(FAILS_ONCE, kind="deployment", outputs=harness.outputs())
    job = await backend.create(wanted, key="k", secrets={})

    def runs_again(job):
        return bool(job.restarts) and job.state is JobState.RUNNING

    job = await until(backend, job.ref, runs_again)
    assert isinstance(backend, HasFiles) or Feature.FILES in backend.missing_features
    needs(backend, Feature.FILES)
    found = {}

    async def are_written():
        found.update((file.name, file) for file in (await backend.output_files(job.ref)).files)
        return "a.bin" in found

    await async_until(are_written, DEADLINE)
    found.pop(".a", None)
    assert {name: (file.kind, file.size) for name, file in found.items()} == {
        "first": (FileKind.FILE, 0),
        "a.bin": (FileKind.FILE, 5),
        "sub": (FileKind.FOLDER, None),
    }
    below = await backend.output_files(job.ref, "sub")
    assert below.folder == f"{job.outputs.path}/sub"
    assert [file.name for file in below.files] == ["it's"]
    assert [file.name for file in (await backend.output_files(job.ref, "a.bin")).files] == ["a.bin"]
    with pytest.raises(NotFound):
        await backend.output_files(job.ref, "absent")
    with pytest.raises(Invalid):
        await backend.output_files(job.ref, "../..")


async def test_a_job_without_outputs_has_no_files(harness, backend):
    needs(backend, Feature.FILES)
    job = await backend.create(harness.spec('[ -z "$TRAINDECK_OUTPUT_DIR" ]'), key="k", secrets={})
    assert (await finished(backend, job.ref)).state is JobState.SUCCEEDED
    with pytest.raises(NotFound, match="--outputs"):
        await backend.output_files(job.ref)

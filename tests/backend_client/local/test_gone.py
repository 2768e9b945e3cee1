"""Folders that somebody deletes: the one that a person stands in, the one that the state lies in."""

import shutil

import pytest

from backend_client.errors import Invalid
from backend_client.local import supervisor
from backend_client.models import JobSpec
from tests.backend_client.local.test_crashes import lives, record, running
from tests.contract.support.harness import until
from tests.support.wait import async_until


async def test_a_submit_from_a_deleted_folder_says_which_and_needs_none_where_one_is_named(
    backend, tmp_path, monkeypatch
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    spec = JobSpec(command=("true",))
    for call in (backend.plan(spec), backend.create(spec, key="k", secrets={})):
        with pytest.raises(Invalid) as caught:
            await call
        assert caught.value.fields == {"workdir": "the folder that this was started in is deleted; name one"}
    assert (await backend.plan(JobSpec(command=("true",), workdir=str(tmp_path)))).errors == ()
    monkeypatch.undo()


@pytest.mark.parametrize("what", ["job", "all"])
async def test_a_deleted_state_folder_is_the_end_of_its_job(backend, run, root, tmp_path, monkeypatch, what):
    script = f"echo $$ > {tmp_path}/pid; while :; do echo loss: 0.5 step 1; sleep 0.05; done"
    job = await run(script)
    await until(backend, job.ref, running)
    of = record(root, job)["supervisor"]["pid"]
    await async_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 30)
    pid = int((tmp_path / "pid").read_text())
    shutil.rmtree(root.job(job.ref.uid) if what == "job" else root.path, ignore_errors=True)
    await async_until(lambda: not lives(of) and not lives(pid), supervisor._FOLDER_CHECK + 30)
    root.create()
    assert root.path.is_dir()

"""One's own code: a folder goes with a job, as it was; it is given back, and runs again."""

import pytest
from msgspec.structs import replace

from backend_client.code.prepare import with_code
from backend_client.code_bundle import HasCode
from backend_client.errors import NotFound
from backend_client.protocol import Feature, Use
from tests.contract.support.harness import finished, log_text, needs

SCRIPT = "cat sub/word"


@pytest.fixture
def code(tmp_path):
    folder = tmp_path / "code of mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "word").write_text("first\n")
    return folder


async def test_a_job_runs_in_its_folder(harness, backend, code):
    if backend.fields["code"].use is Use.REFUSED:
        assert backend.missing_features[Feature.CODE] == backend.fields["code"].why
        return
    spec = await with_code(backend, harness.spec(SCRIPT, code=str(code)))
    assert "code" in {notice.field for notice in (await backend.plan(spec)).warnings}
    job = await backend.create(spec, key="k", secrets={})
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b"first\n"
    assert (await backend.get(job.ref)).code is not None


async def test_a_copy_stays_as_it_was(harness, backend, code):
    assert isinstance(backend, HasCode) or Feature.CODE in backend.missing_features
    needs(backend, Feature.CODE)
    spec = await with_code(backend, harness.spec(SCRIPT, code=str(code)))
    first = await backend.create(spec, key="first", secrets={})
    (code / "sub" / "word").write_text("second\n")
    old = await finished(backend, first.ref)
    assert old.code.files == 1
    assert f"sha256:{old.code.sha256}" == old.spec.code
    data = await backend.code_of(first.ref)
    again = await backend.create(replace(old.spec, name=""), key="again", secrets={})
    await finished(backend, again.ref)
    assert await log_text(backend, again.ref) == b"first\n"
    assert await backend.code_of(again.ref) == data
    without = await backend.create(harness.spec("true"), key="without", secrets={})
    with pytest.raises(NotFound):
        await backend.code_of(without.ref)

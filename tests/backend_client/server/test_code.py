"""One's own code at a server: sent once; what was left out is said here; an older server takes none."""

from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from backend_client.code_bundle import Bundle, digest
from backend_client.errors import Refused
from backend_client.models import JobSpec
from backend_client.models.code import LARGEST, Code
from backend_client.models.secret import Secret
from backend_client.protocol import Diagnostic, Feature, FieldRule, Use
from backend_client.server.backend import ServerBackend
from backend_client.server.bodies import ClusterInfo
from backend_client.server.capabilities import UNKNOWN, merge
from tests.backend_client.server.conftest import TOKEN
from tests.backend_client.server.support.scripted import answer

DATA = b"packed"
FACTS = Code(sha256=digest(DATA), files=3, size=len(DATA), commit="ab" * 20, dirty=True, remote="https://h/x")
BUNDLE = Bundle(FACTS, DATA, "3 files, 6B packed; left out: data/ (12Gi, .gitignore)")
NOTHING = answer({"title": "There is nothing there.", "kind": "NotFound"}, "404 Not Found")
KEPT = {
    "sha256": FACTS.sha256,
    "files": 3,
    "size": 6,
    "commit": FACTS.commit,
    "dirty": True,
    "remote": "https://h/x",
}


@pytest.fixture
async def backend(server):
    made = ServerBackend("gpu", server.url, lambda: Secret(TOKEN))
    yield made
    await made.aclose()


async def test_code_is_sent_once_and_again_where_more_is_known_of_it(server, backend):
    server.script = [NOTHING, answer(status="204 No Content"), answer(KEPT), answer(KEPT), answer()]
    await backend.keep_code(BUNDLE)
    await backend.keep_code(BUNDLE)
    await backend.keep_code(replace(BUNDLE, code=replace(FACTS, dirty=False)))
    assert [asked.method for asked in server.asked] == ["GET", "PUT", "GET", "GET", "PUT"]
    sent = server.asked[1]
    assert (sent.body, sent.headers["content-type"]) == (DATA, "application/gzip")
    asked = urlsplit(sent.target)
    assert asked.path == f"/api/code/{FACTS.sha256}"
    assert parse_qs(asked.query) == {
        "files": ["3"],
        "commit": [FACTS.commit],
        "dirty": ["true"],
        "remote": ["https://h/x"],
    }


async def test_a_plan_says_what_was_left_out(server, backend):
    plan = {
        "name": "train",
        "yaml": "",
        "place": "gpu",
        "warnings": [{"field": "code", "message": "3 files, 6B packed"}, {"field": "gpus", "message": "few"}],
    }
    server.script = [answer(KEPT), answer(plan), answer(plan)]
    await backend.keep_code(BUNDLE)
    found = await backend.plan(JobSpec(code=BUNDLE.name))
    assert found.warnings == (Diagnostic("code", BUNDLE.about), Diagnostic("gpus", "few"))
    assert (await backend.plan(JobSpec())).warnings[0].message == "3 files, 6B packed"


async def test_an_older_server_takes_none(server, backend):
    server.script = [NOTHING, NOTHING]
    with pytest.raises(Refused, match="takes no code"):
        await backend.keep_code(BUNDLE)


def test_the_limit_is_the_largest_of_the_clusters_and_an_old_server_has_its_own_words():
    why = "it takes no folders yet"
    old = ClusterInfo(name="a", lacks={"code": why}, fields={"code": FieldRule(Use.REFUSED, why)})
    new = ClusterInfo(name="b", features=("code",), code_limit=7)
    assert (UNKNOWN.code_limit, merge([old, new]).code_limit) == (LARGEST, 7)
    assert Feature.CODE in merge([old, new]).features
    assert merge([old]).missing_features[Feature.CODE] == merge([old]).fields["code"].why == why

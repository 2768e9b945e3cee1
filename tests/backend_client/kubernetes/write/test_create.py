"""Creates against a real API server, with the connection cut at every single request of them."""

import asyncio
from uuid import uuid4

import pytest
from msgspec.structs import replace

from backend_client.errors import Conflict, Invalid, NotFound, Refused, Unreachable
from backend_client.kubernetes import labels
from backend_client.kubernetes.write.writer import JobWriter
from backend_client.models import JobRef
from tests.backend_client.kubernetes.support.cutter import Cutter
from tests.backend_client.kubernetes.support.live import Live, eventually, path_of
from tests.backend_client.kubernetes.support.specs import spec
from tests.backend_client.kubernetes.support.writing import (  # noqa: F401  fixtures
    CUTS,
    FULL,
    SECRETS,
    a_cut_off,
    a_cutter,
    a_live,
    a_writer,
    anchors,
    called,
    config_of,
    remove,
    runs,
    there,
    whole,
)


@pytest.mark.api
@pytest.mark.parametrize("kind", FULL)
async def test_a_job_and_all_its_parts(writer: JobWriter, live: Live, namespace: str, kind: str) -> None:
    job = await writer.create(FULL[kind], key="k", secrets=SECRETS)
    made = there(live, namespace)
    assert called(made) == whole("bert", kind)
    (anchor,) = anchors(made)
    assert (job.ref, runs(anchor)) == (
        JobRef("here", namespace, kind, "bert", anchor["metadata"]["uid"]), True,
    )  # fmt: skip
    assert labels.HELD not in anchor["metadata"]["annotations"]
    assert job.owner
    assert replace(job.spec, namespace="") == FULL[kind]
    parts = [item for item in made if item is not anchor]
    assert {o["uid"] for item in parts for o in item["metadata"]["ownerReferences"]} == {job.ref.uid}
    assert "hf_secret" not in str(made)
    assert (await writer.create(FULL[kind], key="k", secrets=SECRETS)).ref == job.ref


@pytest.mark.api
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("kind", "named"), [("job", True), ("deployment", True), ("job", False)])
async def test_create_is_cut_at_every_request(
    cut_off: JobWriter, cutter: Cutter, live: Live, namespace: str, kind: str, cut: str, named: bool
) -> None:
    request = 0
    while True:
        request += 1
        name = f"n{request}"
        asked = replace(FULL[kind], name=name) if named else replace(FULL[kind], name="", command=(name,))
        cutter.arm(request, **CUTS[cut])
        try:
            first = await cut_off.create(asked, key=name, secrets=SECRETS)
        except Unreachable:
            first = None
        met = cutter.met
        left = [item for item in there(live, namespace) if item["metadata"]["name"].startswith(name)]
        started = [anchor for anchor in anchors(left) if runs(anchor)]
        assert not started or called(left) == whole(name, kind)
        cutter.arm()
        again = await cut_off.create(asked, key=name, secrets=SECRETS)
        assert first is None or first.ref == again.ref
        made = [item for item in there(live, namespace) if item["metadata"]["name"].startswith(name)]
        assert called(made) == whole(name, kind)
        assert all(runs(anchor) for anchor in anchors(made))
        remove(live, made)
        if not met:
            break
    assert request > 7


@pytest.mark.api
@pytest.mark.parametrize("named", [True, False])
async def test_five_at_once_with_one_key_make_one_job(
    writer: JobWriter, live: Live, namespace: str, named: bool
) -> None:
    asked = FULL["job"] if named else replace(FULL["job"], name="", command=("bert",))
    jobs = await asyncio.gather(*(writer.create(asked, key="k", secrets=SECRETS) for _ in range(5)))
    assert len({job.ref for job in jobs}) == 1
    made = there(live, namespace)
    assert called(made) == whole("bert", "job")
    assert runs(anchors(made)[0])


@pytest.mark.api
async def test_a_name_is_taken_over_both_kinds(writer: JobWriter, live: Live, namespace: str) -> None:
    await writer.create(spec(), key="1", secrets={})
    for kind in ("job", "deployment"):
        with pytest.raises(Conflict, match="There is a job bert already") as caught:
            await writer.create(spec(kind=kind), key="2", secrets={})
        assert "name" in caught.value.fields
    assert called(there(live, namespace)) == ["Job bert"]


@pytest.mark.api
async def test_an_empty_name_is_suggested_and_numbered(writer: JobWriter, live: Live, namespace: str) -> None:
    live.make(config_of("Deployment", namespace, "train-3"))
    asked = spec(name="", command=["python", "train.py"])
    jobs = [await writer.create(asked, key=str(number), secrets={}) for number in range(3)]
    assert [job.name for job in jobs] == ["train", "train-2", "train-4"]
    assert (await writer.create(asked, key="1", secrets={})).ref == jobs[1].ref
    many = await asyncio.gather(*(writer.create(asked, key=f"x{n}", secrets={}) for n in range(5)))
    assert {job.name for job in many} == {f"train-{number}" for number in range(5, 10)}


@pytest.mark.api
@pytest.mark.parametrize(
    ("kind", "name"),
    [("Secret", "bert-secrets"), ("Service", "bert"), ("Service", "bert-ranks"), ("Ingress", "bert")],
)
async def test_a_part_that_cannot_be_made_undoes_the_others(
    writer: JobWriter, live: Live, namespace: str, kind: str, name: str
) -> None:
    theirs = live.make(config_of(kind, namespace, name))
    with pytest.raises(Conflict, match=f"There is a {kind} {name} already"):
        await writer.create(FULL["job"], key="k", secrets=SECRETS)
    assert [item["metadata"]["uid"] for item in there(live, namespace)] == [theirs["metadata"]["uid"]]


@pytest.mark.api
async def test_what_a_deleted_namesake_left_behind_gives_way(
    writer: JobWriter, live: Live, namespace: str
) -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "bert", "uid": str(uuid4())}
    left = config_of("Secret", namespace, "bert-secrets")
    left["metadata"]["ownerReferences"] = [owner]
    live.make(left)
    await writer.create(FULL["job"], key="k", secrets=SECRETS)
    assert called(there(live, namespace)) == whole("bert", "job")


@pytest.mark.controllers
async def test_a_quota_that_the_first_try_fills_hides_no_success(
    cut_off: JobWriter, cutter: Cutter, live: Live, namespace: str
) -> None:
    hard = {"count/jobs.batch": "1"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": hard}}
    live.make(quota | {"metadata": {"name": "q", "namespace": namespace}})
    look = lambda: live.items("v1", "resourcequotas", namespace)[0].get("status", {})  # noqa: E731  short
    eventually(look, lambda status: status.get("hard") == hard)
    cutter.arm(count=10**6)
    await cut_off.create(spec(), key="k", secrets={})
    posted = cutter.requests.index(f"POST /apis/batch/v1/namespaces/{namespace}/jobs?fieldValidation=Strict")
    assert (await cut_off.create(spec(), key="k", secrets={})).name == "bert"
    with pytest.raises(Refused, match=r"The quota q is full: 1 of 1 count/jobs.batch used, 1 asked\."):
        await cut_off.create(spec(name="other"), key="o", secrets={})
    live.call("DELETE", path_of("batch/v1", "jobs", namespace, "bert"), propagationPolicy="Background")
    eventually(look, lambda status: status["used"]["count/jobs.batch"] == "0")
    cutter.arm(posted + 1)
    assert (await cut_off.create(spec(name="third"), key="t", secrets={})).name == "third"
    assert called(there(live, namespace)) == ["Job third"]


@pytest.mark.api
async def test_a_missing_secret_value_is_said_before_anything_is_made(
    writer: JobWriter, live: Live, namespace: str
) -> None:
    with pytest.raises(Invalid, match="TOKEN"):
        await writer.create(FULL["job"], key="k", secrets={})
    assert there(live, namespace) == []


@pytest.mark.api
async def test_what_the_server_refuses_stands_at_its_field(
    writer: JobWriter, live: Live, namespace: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await writer.create(spec(annotations={"a": "b" * 300_000}), key="k", secrets={})
    assert list(caught.value.fields) == ["annotations"]
    with pytest.raises(NotFound, match="none-such"):
        await writer.create(spec(namespace="none-such"), key="k", secrets={})
    assert there(live, namespace) == []

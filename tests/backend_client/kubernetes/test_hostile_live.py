"""Objects of a real cluster whose every free text is hostile, from the API server to terminal and screen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend_client.kubernetes import labels
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import JobQuery
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, Manifest, path_of
from tests.support.hostile import TEXTS
from tests.support.pty_app import PtyApp
from tests.tui.support.deck import deck
from tests.tui.test_hostile import stray

pytestmark = pytest.mark.api
TEXT = " ".join(text for name, text in TEXTS.items() if name not in ("surrogate", "long"))
LONG = TEXT + "x" * 100_000
GPU = {"nvidia.com/gpu": "1"}


def body_of(**more: object) -> Manifest:
    main = {"name": "main", "image": "i", "resources": {"limits": GPU}}
    return {"restartPolicy": "Never", "containers": [main], **more}


def status_of(state: Manifest, phase: str) -> Manifest:
    container = {"name": "main", "image": TEXT, "imageID": TEXT, "ready": False, "restartCount": 0}
    condition = {"type": "PodScheduled", "status": "False", "reason": "X", "message": LONG}
    return {
        "phase": phase,
        "message": LONG,
        "reason": TEXT,
        "conditions": [condition],
        "containerStatuses": [container | {"state": state}],
    }


@pytest.fixture
def jobs(cluster: Cluster, namespace: str) -> list[str]:
    """Their names: of a job of ours that nobody manages, of its like by others, of bare pods on no node."""
    live = Live(cluster.kubeconfig)
    spec = {
        "image": TEXT,
        "command": ["python", LONG],
        "env": {"A": TEXT},
        "workdir": TEXT,
        "labels": {TEXT: TEXT},
    }
    notes = {labels.SPEC: json.dumps(spec), labels.OWNER: TEXT, labels.URL: TEXT, "note": TEXT}
    job = {
        "managedBy": "example.org/nobody",
        "template": {"spec": body_of(), "metadata": {"annotations": notes}},
    }
    home = {"namespace": namespace, "annotations": notes}
    made = [
        live.make({"apiVersion": "batch/v1", "kind": "Job", "metadata": home | {"name": name}, "spec": job})
        for name in ("own", "torn")
    ]
    live.patch(made[1], {"metadata": {"annotations": {labels.SPEC: TEXT}}})
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "own", "uid": made[0]["metadata"]["uid"]}
    waits = {"waiting": {"reason": "CreateContainerError", "message": LONG}}
    ended = {"terminated": {"exitCode": 3, "reason": TEXT, "message": LONG}}
    for name, state, phase, more in (
        ("own-x", waits, "Pending", {"ownerReferences": [owner | {"controller": True}]}),
        ("waits", waits, "Pending", {}),
        ("ended", ended, "Failed", {}),
    ):
        metadata = home | more | {"name": name}
        body = body_of(nodeName="nowhere")
        live.make({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body})
        path = f"{path_of('v1', 'pods', namespace, name)}/status"
        answer = live.call("PATCH", path, {"status": status_of(state, phase)}, media="merge-patch+json")
        assert answer[0] == 200, answer[1]
    event = {
        "metadata": {"name": "e", "namespace": namespace},
        "involvedObject": {"uid": owner["uid"], "namespace": namespace, "kind": "Job", "name": "own"},
        "reason": TEXT, "message": LONG, "type": "Warning", "lastTimestamp": "2026-11-25T00:00:00Z",
    }  # fmt: skip
    assert live.call("POST", path_of("v1", "events", namespace), event)[0] == 201
    return ["ended", "own", "torn", "waits"]


@pytest.fixture
def homes(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))


@pytest.mark.usefixtures("homes")
async def test_the_backend_hands_on_what_the_cluster_says(namespace: str, jobs: list[str]) -> None:
    backend = KubernetesBackend("admin", KubernetesSettings(), namespace=namespace)
    listed = {job.name: job for job in (await backend.list(JobQuery(namespace=namespace))).items}
    assert sorted(listed) == jobs
    assert listed["own"].spec.command == ("python", LONG)
    assert listed["torn"].read_only
    (event,) = [event for event in await backend.events(listed["own"].ref) if event.reason == TEXT]
    assert event.message == LONG
    assert LONG in listed["own"].reason
    assert listed["ended"].attempts[0].reason.startswith("exit 3 (")
    await backend.aclose()


@pytest.mark.usefixtures("homes")
def test_nothing_of_it_reaches_a_terminal_by_the_command_line(namespace: str, jobs: list[str]) -> None:
    where = ["--context=admin", "-n", namespace]
    verbs = [["jobs"], ["jobs", "-o", "wide"], *(["describe", name] for name in jobs)]
    for words in [*verbs, ["describe", "own", "-o", "yaml"], ["jobs", "-o", "json"]]:
        argv = [sys.executable, "-m", "tui", *words, *where]
        with PtyApp(argv, os.environ, (200, 50)) as program:
            assert program.wait(60) == 0, program.sent[-500:]
            sent = program.sent.decode(errors="backslashreplace")
        assert stray(sent) == "", words
        assert "own" in sent or words[0] == "describe"
    done = subprocess.run(
        [sys.executable, "-m", "tui", "jobs", "-o", "json", *where], capture_output=True, check=True
    )
    told = {job["name"]: job for job in json.loads(done.stdout)}
    assert told["own"]["spec"]["command"] == ["python", LONG]


@pytest.mark.usefixtures("homes")
async def test_nothing_of_it_reaches_a_terminal_by_the_screen(
    namespace: str, jobs: list[str], tmp_path: Path
) -> None:
    backend = KubernetesBackend("admin", KubernetesSettings(), namespace=namespace)
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:
        await running.until(lambda: all(name in running.shown for name in jobs), 30)
        for _ in jobs:
            await running.press("enter")
            await running.quiet()
            await running.press("escape", "y")
            await running.quiet()
            await running.press("escape", "down")
        await running.quiet()
        assert stray(running.sent) == ""
        assert running.app.is_running
    await backend.aclose()

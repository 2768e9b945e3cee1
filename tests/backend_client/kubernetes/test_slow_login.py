"""A login program that takes long is named to whoever waits for it: by the watch, and to the verbs."""

import asyncio
import json
import stat
from contextlib import aclosing

import pytest

from backend_client import slow_steps
from backend_client.errors import LoginNeeded
from backend_client.kubernetes.api import credentials
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import Freshness, FreshnessState, JobQuery, Scope
from backend_client.slow_steps import heard_by, slow_step
from tests.support.wait import async_until

WORDS = "waiting for aws to log in (60 s at most)"


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """A kubeconfig whose login program hangs until the file `go` is there; then it refuses."""
    program = tmp_path / "aws"
    program.write_text(f"#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.05; done\necho no >&2; exit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}
    config = {
        "current-context": "c1",
        "contexts": [{"name": "c1", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": login}}],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(slow_steps, "SLOW_SECONDS", 0.1)
    return tmp_path / "go"


async def test_the_watch_says_what_it_waits_for_and_then_what_went_wrong(aws):
    backend = KubernetesBackend("c1", KubernetesSettings())
    told = []
    async with aclosing(backend.watch([Scope("n")])) as batches:
        async for (event,) in batches:
            assert isinstance(event, Freshness)
            told.append((event.state, event.why))
            if event.why == WORDS:
                aws.touch()
            if event.state is FreshnessState.STALE:
                break
    assert told[:2] == [(FreshnessState.SYNCING, WORDS), (FreshnessState.SYNCING, "")]
    assert told[2][1].startswith("the login program aws of context c1 failed with exit code 1: no")
    await backend.aclose()


async def test_a_call_tells_its_caller_and_who_waits_for_the_same_run_hears_it_too(aws):
    backend = KubernetesBackend("c1", KubernetesSettings())
    first, second = [], []
    with heard_by(first.append):
        one = asyncio.create_task(backend.list(JobQuery(namespace="n")))
    with heard_by(second.append):
        other = asyncio.create_task(backend.capacity(Scope("n")))
    await async_until(lambda: WORDS in first and WORDS in second)
    aws.touch()
    answers = await asyncio.gather(one, other, return_exceptions=True)
    assert isinstance(answers[0], LoginNeeded)
    assert first[-1] == second[-1] == ""
    await backend.aclose()


async def test_a_watch_that_is_left_leaves_no_program(aws):
    backend = KubernetesBackend("c1", KubernetesSettings())
    async with aclosing(backend.watch([Scope("n")])) as batches:
        await anext(batches)
    assert len(asyncio.all_tasks()) == 1
    await backend.aclose()


async def test_what_is_quick_is_not_told(monkeypatch):
    told = []
    with heard_by(told.append), slow_step("the step"):
        await asyncio.sleep(0)
    with slow_step("nobody hears"):
        await asyncio.sleep(0)
    assert told == []


async def test_it_is_told_while_an_interrupted_step_ends(monkeypatch):
    monkeypatch.setattr(slow_steps, "SLOW_SECONDS", 0.0)
    told = []

    async def step():
        with heard_by(told.append), slow_step("the step"):
            await asyncio.sleep(60)

    task = asyncio.create_task(step())
    await async_until(lambda: told == ["the step"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert told == ["the step", ""]


def test_the_limit_is_the_one_that_is_told():
    assert f"({credentials.PLUGIN_SECONDS:.0f} s at most)" in WORDS

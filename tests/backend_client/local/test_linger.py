"""Jobs that would end with the login: who is told, and when."""

import os

import pytest

from backend_client.local import linger
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
from backend_client.models.secret import Secret

LOGIN = "0::/user.slice/user-1000.slice/session-3.scope\n"


@pytest.fixture
def logind(tmp_path, monkeypatch):
    """logind(answer, cgroup) sets what this machine says; a file in `linger` is a user who does."""
    monkeypatch.setattr(linger, "LINGERING", tmp_path / "linger")
    monkeypatch.setattr(linger, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(linger, "current_user", lambda: "ann")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "linger").mkdir()

    def say(answer="b true", cgroup=LOGIN):
        (tmp_path / "cgroup").write_text(cgroup)
        (tmp_path / "busctl").write_text(f"#!/bin/sh\necho {answer}\n")
        (tmp_path / "busctl").chmod(0o755)
        return tmp_path

    return say


def test_a_login_that_ends_everything(logind):
    logind()
    assert linger.jobs_end_at_logout()


@pytest.mark.parametrize("answer", ["b false", "", "; exit 1", "; exec sleep 60"])
def test_logind_leaves_them_or_does_not_answer(logind, monkeypatch, answer):
    monkeypatch.setattr(linger, "ANSWER_SECONDS", 0.2)
    logind(answer)
    assert not linger.jobs_end_at_logout()


def test_no_busctl_no_cgroup_or_a_service_is_no_trouble(logind):
    folder = logind(cgroup="0::/system.slice/sshd.service\n")
    assert not linger.jobs_end_at_logout()
    (folder / "cgroup").write_text(LOGIN)
    (folder / "busctl").unlink()
    assert not linger.jobs_end_at_logout()
    (folder / "cgroup").unlink()
    assert not linger.jobs_end_at_logout()


def test_a_user_who_lingers(logind):
    (logind() / "linger" / "ann").touch()
    assert not linger.jobs_end_at_logout()


async def test_local_says_it_at_the_first_job_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(linger, "jobs_end_at_logout", lambda: True)
    backend = LocalBackend(tmp_path / "host", grace=0.1)
    spec = JobSpec(command=("true",))
    assert "loginctl enable-linger" in (await backend.plan(spec)).advice
    job = await backend.create(spec, key="1", secrets=dict[str, Secret]())
    assert (await backend.plan(spec)).advice == ""
    async for _ in backend.delete(job.ref):
        pass

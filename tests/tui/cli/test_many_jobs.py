"""Verbs over several jobs, by name and by selection; a job again with other fields; names that are empty."""

from datetime import UTC, datetime

import pytest

from backend_client.jobs import matches
from backend_client.models import JobState
from backend_client.protocol import AccessDecision, Diagnostic, Page
from tests.support.scripted import attempt, make_job

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def a_job(name, state, **more):
    return make_job(name, state, created=CREATED, **more)


@pytest.fixture
def jobs(backend):
    async def select(query, *, after=""):
        return Page(tuple(job for job in backend.jobs.values() if matches(query, job)))

    backend.list = select
    for number, state in ((10, JobState.RUNNING), (2, JobState.RUNNING), (1, JobState.SUCCEEDED)):
        backend.put(a_job(f"td-{number}", state, labels={"sweep": "a"}))
    backend.put(a_job("other", JobState.RUNNING))
    return backend


def called(backend, name):
    return [call[1].name for call in backend.calls if call[0] == name]


@pytest.mark.parametrize("alias", ["jobs", "ls", "ps", "get"])
def test_jobs_by_other_words_in_the_order_of_their_numbers(jobs, cli, alias):
    assert cli(alias, "-o", "name", "-l", "sweep=a", "--state", "Running").out == "td-2\ntd-10\n"


def test_what_is_selected_is_shown_and_done_with_yes(jobs, cli):
    result = cli("stop", "-l", "sweep=a", "--state", "running", "--yes")
    assert result.code == 0
    assert result.err.startswith("2 selected: td-2, td-10\n")
    assert called(jobs, "stop") == ["td-2", "td-10"]


def test_without_a_terminal_a_selection_needs_yes(jobs, cli):
    for verb in ("stop", "delete", "resume"):
        result = cli(verb, "-l", "sweep=a")
        assert (result.code, result.out) == (2, "")
        assert "give --yes" in result.err
    assert not called(jobs, "stop") + called(jobs, "delete") + called(jobs, "resume")


@pytest.mark.parametrize(
    ("words", "code"),
    [(("stop",), 2), (("stop", "td-2", "-l", "sweep=a"), 2), (("wait",), 125), (("delete", "--yes"), 2)],
)
def test_either_names_or_a_selection(jobs, cli, words, code):
    result = cli(*words)
    assert result.code == code
    assert "one of both" in result.err


def test_a_part_that_fails_is_told_by_line_and_code(jobs, cli):
    result = cli("stop", "td-2", "nope", "td-10")
    assert result.code == 3
    assert "nope: there is no job nope" in result.err
    assert "2 of 3 done, 1 failed" in result.err
    assert called(jobs, "stop") == ["td-2", "td-10"]


def test_wait_for_several(jobs, cli):
    jobs.put(a_job("bad", JobState.FAILED, attempts=(attempt(exit_code=3),)))
    result = cli("wait", "td-1", "bad")
    assert result.code == 3
    assert [line.split(":")[0] for line in result.err.splitlines()] == ["td-1", "bad"]
    assert cli("wait", "nope").code == 125, "3 would be the job's own"
    assert cli("wait", "-l", "sweep=a", "--state", "Succeeded").code == 0


def test_again_with_other_fields(jobs, cli):
    result = cli("again", "td-2", "--gpus", "2", "--name", "x", "--env", "A=1", "--max-runtime", "2h30")
    assert result.code == 0, result.err
    spec = next(call[1] for call in jobs.calls if call[0] == "create")
    assert (spec.name, spec.gpus, spec.env["A"], spec.max_runtime) == ("x", 2, "1", 9000)
    assert spec.command == jobs.jobs["uid-td-2"].spec.command
    assert cli("again", "td-2", "--gpus", "many").code == 2


@pytest.mark.parametrize(("allowed", "code"), [(False, 5), (None, 1), (True, 1)])
def test_submit_without_the_right_is_5(jobs, cli, allowed, code):
    async def decide(asks):
        return [AccessDecision(allowed) for _ in asks]

    jobs.plan_errors = (Diagnostic("", "you may not create jobs in team-a"),)
    jobs.check_access = decide
    assert cli("submit", "--", "true").code == code


@pytest.mark.parametrize("flag", ["--context", "-n", "--token-file", "-f", "--template"])
def test_an_empty_name_is_no_name(cli, flag):
    result = cli("submit", flag, "", "--", "true")
    assert result.code == 2
    assert "is empty; name something, or leave the flag out" in result.err

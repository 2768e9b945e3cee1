"""Why a log is empty: what is known is said, and no more."""

import pytest

from backend_client.models import Attempt, JobSpec, JobState
from backend_client.protocol import Feature
from backend_client.text.empty_reason import empty_reason
from tests.support.scripted import ScriptedBackend, make_job

GOES = {Feature.STOPPED_LOGS: "its pods go, and their logs with them"}
KEPT_BACK = {Feature.UNFINISHED_LINES: "a node may keep a line back until it ends or is 16 KiB long"}
STARTED = (Attempt(number=1),)
LATE = "A line without its newline, as a bar, may come late: a node may keep a line back until it ends or is"


def running(env: dict[str, str] | None = None, **more: object):
    return make_job("a", JobState.RUNNING, spec=JobSpec(command=("x",), env=env or {}), **more)


def ended(state: JobState, reason: str = ""):
    return make_job("a", state, reason=reason)


@pytest.mark.parametrize(
    ("job", "lacks", "words"),
    [
        (None, {}, "No job is chosen."),
        (ended(JobState.QUEUED, "waits for 2 GPUs"), {}, "Queued: waits for 2 GPUs."),
        (ended(JobState.STARTING), {}, "Starting: it has not started yet."),
        (
            running(),
            {},
            "No output yet. PYTHONUNBUFFERED is set; a program that is not Python may keep its output back.",
        ),
        (
            running({"PYTHONUNBUFFERED": "0"}),
            {},
            "No output yet. PYTHONUNBUFFERED is off in this job: Python keeps its output back for a while.",
        ),
        (
            running(read_only="not made by traindeck"),
            {},
            "No output yet. A program may keep its output back.",
        ),
        (
            running({"PYTHONUNBUFFERED": "1"}, read_only="not made by traindeck"),
            {},
            "No output yet. PYTHONUNBUFFERED is set; a program that is not Python may keep its output back.",
        ),
        (running(), GOES, "No output to read now. PYTHONUNBUFFERED is set"),
        (running(), KEPT_BACK, LATE),
        (ended(JobState.SUCCEEDED), {}, "It wrote nothing."),
        (ended(JobState.FAILED, "exit 1"), {}, "It wrote nothing. exit 1"),
        (
            ended(JobState.FAILED, "ran longer than its max_runtime of 1h"),
            GOES,
            "There is no log to read; what it wrote may have gone with its pods. ran longer than its",
        ),
        (ended(JobState.STOPPED), {}, "It wrote nothing."),
        (ended(JobState.STOPPED), GOES, "Stopped. Its pods go, and their logs with them."),
    ],
)
def test_why_it_is_empty(job, lacks, words):
    assert words in empty_reason(job, ScriptedBackend(lacks=lacks))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (running(attempts=STARTED), "Reading the log ..."),
        (running(), "No output yet."),
        (make_job("a", JobState.FAILED, attempts=STARTED), "Reading the log ..."),
        (make_job("a", JobState.QUEUED, attempts=STARTED), "Queued: it has not started yet."),
    ],
)
def test_while_it_is_read_nothing_is_claimed(job, words):
    assert empty_reason(job, reading=True).startswith(words)

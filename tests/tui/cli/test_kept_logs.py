"""`traindeck logs` finds what was followed on the screen, and `delete` removes it."""

import pytest

from backend_client.errors import Forbidden
from backend_client.logs import LogBuffer
from backend_client.logs.log_copies import LogCopies
from backend_client.models import JobState
from backend_client.protocol import Feature, Lines, LogSource
from tests.support.scripted import make_job

HEAD = "-- the log is gone from where the job ran; this is what was followed here until "
THEN = 1_700_000_000 * 10**9


@pytest.fixture(autouse=True)
def _followed(backend):
    """A stopped job whose log was followed."""
    backend.missing_features[Feature.STOPPED_LOGS] = "its pods go, and their logs with them"
    job = make_job("a", JobState.STOPPED)
    backend.put(job)
    keep(job, Lines(source=LogSource(1), lines=[b"one", b"\x1b[31mtwo\x1b[0m"], times=[THEN, THEN + 10**9]))


def keep(job, *items):
    buffer = LogBuffer()
    buffer.append(items)
    LogCopies().keep(job.ref, buffer)


def test_the_copy_is_printed_and_said(cli, backend):
    backend.ended_logs.add("uid-a")
    code, out, err = cli("logs", "a")
    assert (code, out) == (0, "one\n\x1b[31mtwo\x1b[0m\n")
    assert err.startswith(HEAD)
    assert err.count("\n") == 1
    assert cli("logs", "a", "--tail", "1", "-f").out == "\x1b[31mtwo\x1b[0m\n"
    assert cli("logs", "a", "--since", "5m") == (
        0,
        "",
        "a: Stopped. Its pods go, and their logs with them.\n",
    )


def test_what_is_still_there_wins(cli, backend):
    backend.logs_of["uid-a"] = [b"there"]
    assert cli("logs", "a") == (0, "there\n", "")


def test_a_job_that_is_gone_itself_is_found_by_its_name(cli, backend):
    backend.remove("uid-a")
    code, out, err = cli("logs", "a", "--timestamps")
    assert (code, out.splitlines()[0]) == (0, "2023-11-14T22:13:20.000000000Z one")
    assert err.startswith(HEAD)
    code, out, err = cli("logs", "a", "--attempt", "2")
    assert (code, out, err.startswith("There is no job a.")) == (3, "", True)
    assert cli("logs", "b").code == 3


def test_ranks_of_a_job_that_is_gone_are_told_apart(cli, backend):
    job = make_job("r")
    keep(job, *[Lines(source=LogSource(1, n), lines=[b"x"], times=[THEN + n]) for n in (0, 1)])
    assert cli("logs", "r").out == "[0] x\n[1] x\n"
    assert cli("logs", "r", "--rank", "1").out == "x\n"


def test_where_logs_stay_a_name_that_is_gone_is_gone(cli, backend):
    backend.missing_features.clear()
    backend.remove("uid-a")
    assert cli("logs", "a").code == 3


def test_delete_removes_it(cli, backend):
    assert cli("delete", "a", "--yes").code == 0
    assert cli("logs", "a").code == 3


def test_a_delete_that_is_refused_leaves_it(cli, backend):
    backend.fail["delete"] = Forbidden("You may not.")
    assert cli("delete", "a", "--yes").code == 5
    assert cli("logs", "a").out.startswith("one")

"""`submit --each`: many jobs of one command; and the verbs that act on them together."""

import pytest

from backend_client.errors import Refused, Unreachable
from backend_client.models import JobState
from tests.tui.cli.conftest import Result

GRID = ("--name", "lr-{lr}", "--each", "lr=1e-4,3e-4", "--each", "seed=1..2")
NAMES = ["lr-1e-4-1", "lr-1e-4-2", "lr-3e-4-3", "lr-3e-4-4"]
RUN = ("--", "python", "t.py", "{lr}", "{seed}", "{{x}}")


def made(backend) -> list[str]:
    return [job.name for job in backend.jobs.values()]


def test_the_jobs_of_a_sweep(cli, backend):
    done = cli("submit", *GRID, "--at-once", "2", *RUN)
    assert (done.code, done.out.split()) == (0, NAMES)
    assert "4 jobs of the sweep lr submitted to" in done.err
    assert "2 at a time" in done.err
    assert [job.spec.command[2:] for job in backend.jobs.values()][3] == ("3e-4", "2", "{x}")
    again = cli("submit", *GRID, "--at-once", "2", *RUN)
    assert again.code == 1
    assert "All 4 jobs of this sweep are there already." in again.err
    taken = cli("submit", *GRID, "--", "other", "{lr}")
    assert "There is a job lr-1e-4-1 already." in taken.err
    assert made(backend) == NAMES


def test_a_file_and_flags_together(cli, backend, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text("command: t.py {lr} {seed}\nsweep: {each: {lr: [1e-4, 3e-4], seed: 1..9}, at_once: 3}\n")
    done = cli("submit", "-f", str(file), "--each", "seed=7", "--sweep", "lrs")
    assert done.code == 0, done.err
    assert [job.spec.command[1:] for job in backend.jobs.values()] == [("1e-4", "7"), ("3e-4", "7")]
    assert {job.spec.sweep.name for job in backend.jobs.values()} == {"lrs"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--each", "lr=3..1", "--", "x"), "--each: lr: 3..1 counts down"),
        (("--each", "lr=1,2", "--", "x", "{ls}"), "command: there is no {ls} in the sweep, but lr"),
        (("--at-once", "2", "--", "x"), "--at-once: says how many"),
        (("--each", "lr=1,2", "--sweep", "No good", "--", "x"), "sweep: use small letters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(cli, backend, words, says):
    done: Result = cli("submit", *words)
    assert done.code == 2
    assert says in done.err
    assert not backend.jobs


def test_a_failure_in_the_middle_says_what_is_there_and_the_same_command_goes_on(cli, backend, monkeypatch):
    create, tries = backend.create, []

    async def third_fails(spec, **more):
        tries.append(more["key"])
        if len(tries) in (3, 4):
            raise Unreachable("The cluster does not answer.")
        return await create(spec, **more)

    monkeypatch.setattr(backend, "create", third_fails)
    done = cli("submit", *GRID, *RUN)
    assert done.code == 4
    assert "2 of 4 were made: lr-1e-4-1, lr-1e-4-2\n" in done.err
    assert "Whether lr-3e-4-3 was made is not known; not made: lr-3e-4-4\n" in done.err
    assert tries[2] == tries[3]
    assert len(set(tries)) == 3
    done = cli("submit", *GRID, *RUN)
    assert (done.code, made(backend)) == (0, NAMES)
    assert "2 of 4 are there already: lr-1e-4-1, lr-1e-4-2" in done.err

    async def refuses(spec, **_more):
        raise Refused("No quota is left.")

    monkeypatch.setattr(backend, "create", refuses)
    done = cli("submit", "--each", "a=1,2", "--", "x", "{a}")
    assert "0 of 2 were made: none\nNot made: x-1, x-2\n" in done.err


def test_all_of_a_sweep_are_selected_and_the_failed_run_again(cli, backend):
    cli("submit", *GRID, *RUN)
    cli("submit", "--name", "other", "--", "x")
    for number, job in enumerate(list(backend.jobs.values())[:4]):
        backend.change(job.ref.uid, state=JobState.FAILED if number % 2 else JobState.SUCCEEDED)
    assert set(cli("jobs", "--sweep", "lr", "-o", "name").out.split()) == set(NAMES)
    again = cli("again", "--sweep", "lr", "--failed", "--gpus", "1")
    assert (again.code, again.out.split()) == (0, ["lr-1e-4-2-again", "lr-3e-4-4-again"])
    rerun = next(job for job in backend.jobs.values() if job.name == "lr-3e-4-4-again")
    assert (rerun.spec.gpus, rerun.spec.sweep.values) == (1, {"lr": "3e-4", "seed": "2"})
    assert "No job of the sweep lr has failed." in cli("again", "--sweep", "lr", "--failed").err
    assert cli("again", "--sweep", "none").code == 3
    assert cli("delete", "--sweep", "lr", "--yes").code == 0
    assert made(backend) == ["other"]

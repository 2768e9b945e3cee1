"""Where a verb ends with a job's own exit code, no refusal looks like one."""

import pytest

from backend_client.errors import Forbidden, LoginNeeded, NotFound, Refused, Unreachable
from backend_client.protocol import Diagnostic
from tests.support.scripted import make_job

FOLLOWS = [
    ("submit", "--follow", "--name", "a", "--", "true"),
    ("again", "a", "--follow"),
]
FAULTS = [
    (Refused("It is not wanted."), 1),
    (NotFound("There is no such place."), 3),
    (Unreachable("Nothing answers."), 4),
    (LoginNeeded("Who are you?"), 5),
    (Forbidden("Not you."), 5),
    (RuntimeError("a defect"), 1),
]


@pytest.mark.parametrize("method", ["plan", "create"])
@pytest.mark.parametrize(("fault", "plain"), FAULTS)
@pytest.mark.parametrize("words", FOLLOWS)
def test_a_refusal_before_the_job_ran_is_125(cli, backend, words, fault, plain, method):
    backend.put(make_job("a"))
    backend.fail[method] = fault
    assert cli(*words).code == 125
    assert cli(*[word for word in words if word != "--follow"]).code == plain


@pytest.mark.parametrize(
    "words",
    [
        ("submit", "--folow", "--follow", "--", "true"),
        ("submit", "--follow", "--gpus", "-3", "--", "true"),
        ("submit", "--follow"),
        ("submit", "--follow", "-f", "/nowhere.yaml"),
        ("submit", "--follow", "--context", "nowhere", "--", "true"),
        ("--context", "nowhere", "submit", "--follow", "--", "true"),
        ("--read-only", "submit", "--follow", "--", "true"),
        ("again", "nope", "--follow"),
        ("again", "--follow"),
        ("wait", "--nope"),
        ("wait", "a", "--for", "finish"),
        ("wait",),
        ("wait", "a", "--context", "nowhere"),
        ("wait", "nope"),
    ],
)
def test_so_is_wrong_usage_and_what_is_not_there(cli, words):
    assert cli(*words).code == 125


def test_errors_of_a_plan_are_125(cli, backend):
    backend.plan_errors = (Diagnostic("gpus", "there are 4"),)
    assert cli("submit", "--follow", "--", "true").code == 125
    assert cli("submit", "--", "true").code == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("submit", "--gpus", "-3", "--", "true", "--follow"), 2),  # the flag is the command's
        (("submit", "--nope", "--", "true", "--follow"), 2),
        (("logs", "nope", "--follow"), 3),  # ends with 0, never with the job's own
        (("submit", "--follow", "--help"), 0),
        (("wait", "--help"), 0),
    ],
)
def test_all_else_keeps_its_code(cli, words, code):
    assert cli(*words).code == code


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_jobs_own_code_stays_its_own(traindeck, code):
    assert traindeck("submit", "--follow", "--", "sh", "-c", f"exit {code}").code == code

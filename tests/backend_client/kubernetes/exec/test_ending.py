"""How a command ended, by what status channels say of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.exec_session import ExecEnding
from backend_client.kubernetes.exec.ending import UNTOLD, ending_of

V4 = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: exit status 3",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}
RUNC = "OCI runtime exec failed: exec failed: unable to start container process: "


def internal(message):
    causes = {"causes": [{"message": message}]}
    return {
        "status": "Failure",
        "reason": "InternalError",
        "message": message,
        "details": causes,
        "code": 500,
    }


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        ({"status": "Success"}, ExecEnding(0)),
        ({"metadata": {}, "status": "Success", "details": None}, ExecEnding(0)),
        (V4, ExecEnding(3)),
        (V4 | {"message": "other words"}, ExecEnding(3)),
        (V4 | {"details": {"causes": [{"reason": "ExitCode", "message": "137"}]}}, ExecEnding(137)),
        (V4 | {"details": {"causes": [{"reason": "ExitCode", "message": "?"}]}}, UNTOLD),
        (V4 | {"details": {"causes": [{"reason": "ExitCode", "message": "9" * 5000}]}}, UNTOLD),
        (V4 | {"details": {"causes": []}}, UNTOLD),
        (V4 | {"details": None}, UNTOLD),
        ({}, UNTOLD),
        ({"status": "Failure"}, UNTOLD),
    ],
)
def test_by_its_fields(status, ending):
    assert ending_of(json.dumps(status).encode()) == ending


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (RUNC + 'exec: "nope": executable file not found in $PATH: unknown', 127),
        (RUNC + 'exec: "/bin/nope": stat /bin/nope: no such file or directory', 127),
        (RUNC + 'exec: "/etc": is a directory', None),
        (RUNC + 'exec: "/etc/passwd": permission denied', None),
        (RUNC + 'chdir to cwd ("/gone") set in config.json failed: no such file or directory', None),
        ("container not running (abc)", None),
    ],
)
def test_what_never_began(message, code):
    assert ending_of(json.dumps(internal(message)).encode()) == ExecEnding(code, message)


@pytest.mark.parametrize(
    "text", [b"", b"Success", b"command terminated with exit code 1", b"\xff", b"[]", b"{"]
)
def test_prose_and_rubbish_tell_nothing(text):
    assert ending_of(text) == UNTOLD


@given(st.binary())
def test_nothing_but_a_success_is_one(text):
    assert ending_of(text).exit_code != 0 or b"Success" in text or b'"0"' in text

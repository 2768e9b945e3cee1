"""Create a job: its folder, its ticket in the queue, its supervisor. Safe to repeat after a kill at any step.

A job counts from the moment its supervisor has accepted it. What a killed client left before that is seen
by nobody and removed by the next create; the lock on live/<uid>, passed on to the supervisor, says without a
gap whether somebody is at work on it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from backend_client.errors import Conflict, Refused, Unreachable, sentence
from backend_client.local import slots, state_dir
from backend_client.local.devices import PACKAGES
from backend_client.local.record import NEW
from backend_client.local.store import JobStore, current_user
from backend_client.models import JobSpec
from backend_client.models.code import Code
from backend_client.models.fields import explicit_fields
from backend_client.models.names import suggest_name
from backend_client.models.outputs import own_folder
from backend_client.multi_user import Ownership

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from backend_client.local.supervisor import main; main()"
)
_INTERPRETER_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONHOME")
"""What the supervisor's own interpreter may need; the job's environment reaches it through a pipe alone."""
_LIMIT_SECONDS = 30.0


def uid_of(key: str) -> str:
    """Return the uid that belongs to a key: the same key is the same job."""
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()


def create(
    store: JobStore,
    spec: JobSpec,
    *,
    key: str,
    launch_config: Mapping[str, Any],
    ownership: Ownership | None = None,
    code: Code | None = None,
) -> str:
    """Create the job of `key` unless it exists; return its uid. Raises Conflict where the name is taken."""
    uid, until = uid_of(key), time.monotonic() + _LIMIT_SECONDS
    store.root.create()
    beside: dict[str, Any] = (
        {"owner": ownership.owner, "server": ownership.server, "key": key}
        if ownership
        else {"owner": current_user()}
    )
    if code:
        beside["code"] = msgspec.to_builtins(code)
    while (live := _claim(store, uid, key, spec, beside)) is None:
        if store.job(uid):
            return uid
        if time.monotonic() > until:
            raise Unreachable("This job is being made by another process, which does not come to an end.")
        time.sleep(0.01)  # another process, with the same key, is a few milliseconds ahead
    try:
        _start_supervisor(store.root, uid, live, launch_config)
    finally:
        os.close(live)
    return uid


def _claim(store: JobStore, uid: str, key: str, spec: JobSpec, beside: Mapping[str, Any]) -> int | None:
    """Create the job's folder, and return the descriptor that locks it; None where another process has."""
    root = store.root
    with root.locked():
        if root.alive(uid) or store.is_accepted(uid):
            return None
        _remove_leftovers(store)
        spec = _with_name(spec, store.names())
        live = state_dir.private_file(root.live / uid, os.O_RDWR)
        try:
            fcntl.flock(live, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_folder(root, uid, spec, {**beside, **_outputs(spec, key)})
        except BaseException:
            os.close(live)
            with contextlib.suppress(OSError):
                _remove_leftovers(store)
            raise
    return live


def _outputs(spec: JobSpec, key: str) -> dict[str, Any]:
    """Return what is recorded of a job's outputs; the supervisor makes the folder when it accepts the job."""
    return {"outputs": {"path": f"{spec.outputs}/{own_folder(spec.name, key)}"}} if spec.outputs else {}


def _write_folder(root: state_dir.StateDir, uid: str, spec: JobSpec, beside: Mapping[str, Any]) -> None:
    draft, created = root.jobs / f".{uid}", time.time_ns()
    state_dir.private_folder(draft)
    state_dir.private_folder(draft / "log")
    record: dict[str, Any] = {
        "uid": uid,
        "name": spec.name,
        **beside,
        "created": state_dir.timestamp(created)[:26] + "Z",
        "spec": _explicit_values(spec),
        "state": NEW,
        "reason": "",
        "started": None,
        "attempts": [],
        "restarts": 0,
    }
    state_dir.write_json(draft / "job.json", record)
    draft.rename(root.job(uid))
    slots.leave(root, uid)
    if spec.sweep.turn:  # for GPUs it waits when it is its turn, or it would keep them from others
        slots.enqueue(root, uid, created, spec.sweep.turn)
    elif spec.gpus:
        slots.enqueue(root, uid, created)
    os.close(state_dir.private_file(root.path / "used", os.O_WRONLY))


def _remove_leftovers(store: JobStore) -> None:
    """Remove what killed clients have left. Called under the lock."""
    for folder in store.root.jobs.iterdir():
        if folder.name.startswith(".") or (
            store.is_unaccepted(folder.name) and not store.root.alive(folder.name)
        ):
            folder.rename(store.root.trash / f"{folder.name}.{time.time_ns()}")
            (store.root.live / folder.name.removeprefix(".")).unlink(missing_ok=True)
    store.empty_trash()


def _with_name(spec: JobSpec, taken: set[str]) -> JobSpec:
    if spec.name in taken:
        free = suggest_name([spec.name], taken)
        raise Conflict(f"There is a job {spec.name} already.", f"Delete it, or choose another name: {free}.")
    if spec.name:
        return spec
    return msgspec.structs.replace(spec, name=suggest_name(spec.command, taken))


def _explicit_values(spec: JobSpec) -> dict[str, Any]:
    values = msgspec.to_builtins(spec)
    return {name: values[name] for name in explicit_fields(spec)}


def _start_supervisor(
    root: state_dir.StateDir, uid: str, live: int, launch_config: Mapping[str, Any]
) -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-X",
        "utf8",
        "-c",
        _BOOT,
        PACKAGES,
        str(root.path),
        uid,
        str(live),
    ]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[live],
        cwd="/",
        env={name: os.environ[name] for name in _INTERPRETER_VARIABLES if name in os.environ},
    )
    try:
        answer, complaint = process.communicate(json.dumps(launch_config).encode(), timeout=_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Unreachable(
            "The job's supervisor does not answer.", "See whether it starts: list the jobs."
        ) from None
    if answer.startswith(b"["):
        number, path = json.loads(answer)
        raise OSError(number, os.strerror(number or 0), path)
    if answer != b"ready\n":
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise Refused("The job's supervisor did not start.", sentence(last))

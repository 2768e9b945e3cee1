"""What a dev job is: an ordinary job with a label, whose command waits for a shell until nobody uses it."""

from pathlib import Path

from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.models import JobSpec
from backend_client.models.fields import duration_text
from backend_client.models.parsers import DEV_LABEL

MAX_RUNTIME = 8 * 3600
"""Seconds that one may run where nobody says another time."""
IDLE = 2 * 3600
"""Seconds without use after which one ends, where nobody says another time."""
_SCRIPT = Path(__file__).with_name("idle.sh")
_NAME = "dev"
"""$0 of the script; its arguments follow."""


def dev_spec(spec: JobSpec, idle: int) -> JobSpec:
    """Return a spec as that of a dev job, which ends after `idle` seconds without use; 0: only by its limit.

    Raises Invalid for what a dev job cannot be.
    """
    wrong = {
        "kind": "a dev job is of the kind job" if spec.kind == "deployment" else "",
        "nodes": "a dev job is one pod" if spec.nodes > 1 else "",
        "retries": "a dev job is not tried again" if spec.retries else "",
        "sweep": "a dev job is one job" if spec.sweep.name else "",
        "max_runtime": "" if spec.max_runtime else "a dev job has a time limit; `traindeck extend` raises it",
    }
    if errors := {field: why for field, why in wrong.items() if why}:
        raise Invalid(errors)
    figures = (idle, spec.max_runtime, spec.gpus)
    command = ("sh", "-c", _SCRIPT.read_text(), _NAME, *map(str, figures))
    return replace(spec, command=command, labels=spec.labels | {DEV_LABEL: "true"})


def is_dev(spec: JobSpec) -> bool:
    """Return whether this is the spec of a dev job."""
    return DEV_LABEL in spec.labels


def idle_of(spec: JobSpec) -> int:
    """Return the seconds without use after which a dev job ends; 0 where it does not, or nothing tells."""
    words = spec.command[4:5] if spec.command[3:4] == (_NAME,) else ()
    return int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 12 else 0


def about(spec: JobSpec) -> str:
    """Return what a dev job does, in place of its command: "waits for a shell, ends when idle for 2h"."""
    idle = idle_of(spec)
    return f"waits for a shell, ends when idle for {duration_text(idle)}" if idle else "waits for a shell"

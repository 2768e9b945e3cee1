"""Exit codes that are no job's own, where a verb ends with that of a job."""

from collections.abc import Sequence

from tui.cli.commands import find_command, split_words

ALERTED = 123
"""An alert that `wait --alert` looks for has fired."""
STOPPED = 143
TIMED_OUT = 124
UNKNOWN = 125
"""How the job ended cannot be told: it is gone, was never made, or cannot be reached. As of `docker run`."""


def failure_code(words: Sequence[str], code: int) -> int:
    """Return the exit code of a command line that failed with `code`: 125 where that may be a job's own."""
    return UNKNOWN if code and _ends_as_a_job(words) else code


def _ends_as_a_job(words: Sequence[str]) -> bool:
    name, flags, _ = split_words(list(words))
    verb = find_command(name)
    return verb is not None and (
        verb.name in ("wait", "exec", "shell") or (verb.name in ("submit", "again") and "--follow" in flags)
    )

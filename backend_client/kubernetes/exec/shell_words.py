"""What is run around a person's command in a container: sh, where there is one (pure).

It marks all that the command starts, so that what is left of it can be ended, and takes input that the
command did not read: without that a session whose command has ended never ends (docs/FACTS.md, "Exec").
"""

from collections.abc import Sequence

from backend_client.exec_session import ExecQuery

SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")
"""No login shell: the profile of most images would set another PATH than that of the job."""
PROBE = ("env", "sh", "-c", ":")
"""Ends with 0 where `wrapped` can be run."""
_MARK = "TRAINDECK_EXEC"
_PLAIN = 'exec "$@"'
_DRAINED = '"$@"; s=$?; cat >/dev/null; exit $s'
_END = (
    "for s in HUP KILL; do "
    'for e in $(grep -l "$1" /proc/[0-9]*/environ 2>/dev/null); do '
    "p=${e#/proc/}; kill -$s ${p%/environ} 2>/dev/null; done; "
    "[ $s = KILL ] || sleep 0.3; done"
)


def wrapped(query: ExecQuery, mark: str) -> Sequence[str]:
    """Return the words that run a command, or a shell, and all that it starts under a mark."""
    env, script = [f"{_MARK}={mark}"], _DRAINED if query.stdin else _PLAIN
    if size := query.terminal:  # the node sets the size later than the command begins
        env.append(f"TERM={query.term or 'xterm'}")
        script = f"stty rows {size.rows} cols {size.columns} 2>/dev/null; {_PLAIN}"
    return ["env", *env, "sh", "-c", script, "sh", *(query.argv or SHELL)]


def ending_marked(mark: str) -> Sequence[str]:
    """Return the words that end all under a mark: SIGHUP, which some take no notice of, then SIGKILL."""
    return ["sh", "-c", _END, "sh", f"{_MARK}={mark}"]

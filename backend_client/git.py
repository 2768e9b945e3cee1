"""What git says of a folder: which files it has, and what is recorded of them.

A repository's configuration can name programs to run; what git runs by itself when it lists or compares is
turned off here. What is another user's, git refuses on its own (`safe.directory`).
"""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from backend_client.models.code import Code

_SECONDS = 10.0
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
_OWN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Variables of a hook or an alias that this was started from: they would name another repository."""


def git_files(folder: Path) -> frozenset[str] | None:
    """List the files below a folder that git has or would add, those of submodules too.

    None where it is no work tree, there is no git, or all of it is ignored (a folder below another's tree).
    """
    listed = _git(folder, "ls-files", "-coz", "--exclude-standard")
    if not listed:
        return None
    names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
    files: set[str] = set()
    for name in names:
        inner = folder / name
        if inner.is_dir() and not inner.is_symlink():
            prefix = name.rstrip("/")
            files.update(f"{prefix}/{below}" for below in git_files(inner) or () if _is_nested(inner))
        else:
            files.add(name)
    return frozenset(files)


def _is_nested(folder: Path) -> bool:
    """Return whether a folder that git lists as one entry is a work tree of its own, checked out."""
    return (folder / ".git").exists()


def git_facts(folder: Path) -> Code:
    """Return what git says of a folder: its commit, whether all is committed, where it came from."""
    commit = _text(_git(folder, "rev-parse", "--verify", "--quiet", "HEAD"))
    if not commit:
        return Code()
    changes = _git(folder, "status", "--porcelain", "-z", "--ignore-submodules=none", "--", ".")
    remote = _text(_git(folder, "config", "--get", "remote.origin.url"))
    return Code(commit=commit, dirty=changes is None or bool(changes), remote=without_login(remote))


def without_login(remote: str) -> str:
    """Return a remote's address without a password or token in it."""
    if "://" not in remote:
        return remote
    try:
        parts = urlsplit(remote)
    except ValueError:
        return ""
    login, _, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0] if parts.scheme == "ssh" else ""
    # Behind ? and # an address of HTTP may hold a token too.
    return parts._replace(netloc=f"{user}@{host}" if user else host, query="", fragment="").geturl()


def _text(output: bytes | None) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "", (output or b"").decode(errors="replace")).strip()[:1000]


def _git(folder: Path, *words: str) -> bytes | None:
    """Run git in a folder; its output, None where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in _OWN}
    try:
        done = subprocess.run(
            ["git", *_SAFE, "-C", os.fspath(folder), *words],
            env=environment | _QUIET,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None

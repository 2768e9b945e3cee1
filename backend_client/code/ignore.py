"""Which files of a folder do not go with a job, and why: built in, .gitignore, .traindeckignore."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from backend_client.errors import Invalid

OWN_FILE = ".traindeckignore"
_LARGEST = 2**20
"""Bytes of a file with patterns that are read."""
_ALWAYS = GitIgnoreSpec.from_lines(
    """
    .git
    .hg/
    .svn/
    __pycache__/
    *.pyc
    .venv/
    venv/
    node_modules/
    .mypy_cache/
    .ruff_cache/
    .pytest_cache/
    .ipynb_checkpoints/
    wandb/
    mlruns/
    lightning_logs/
    """.split()
)
_SECRET = GitIgnoreSpec.from_lines(
    """
    .env
    .env.*
    !.env.example
    !.env.sample
    !.env.template
    .netrc
    .pypirc
    .git-credentials
    *.pem
    *.key
    id_rsa*
    id_dsa*
    id_ecdsa*
    id_ed25519*
    !id_*.pub
    *.kubeconfig
    .aws/
    .kube/
    .docker/config.json
    credentials.json
    """.split()
)
_TOKEN = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    rb"|\bAKIA[0-9A-Z]{16}\b"
    rb"|\bgh[opsu]_[A-Za-z0-9]{36}\b"
    rb"|\bgithub_pat_[A-Za-z0-9_]{60,}\b"
    rb"|\bglpat-[A-Za-z0-9_-]{20,}"
    rb"|\bhf_[A-Za-z]{34}\b"
    rb"|\bsk-(?:ant|proj)-[A-Za-z0-9_-]{32,}"
    rb"|\bxox[abprs]-[A-Za-z0-9-]{20,}"
)
"""What services make their tokens begin with, so that they can be found."""


def looks_secret(path: str) -> bool:
    """Return whether a file is by its name one that holds a login or a key."""
    return bool(_SECRET.match_file(path))


def has_token(content: bytes) -> bool:
    """Return whether a file holds a private key, or a token that can be told as one."""
    return _TOKEN.search(content) is not None


def always_left_out(path: str, *, folder: bool) -> bool:
    """Return whether nobody wants a path in a job: what tools write, and repositories' own folders."""
    return bool(_decide(_ALWAYS, path, folder=folder))


class OwnIgnore:
    """The .traindeckignore of a folder. It comes before all else: a line with ! takes a file along."""

    def __init__(self, folder: Path) -> None:
        lines = _lines(folder / OWN_FILE)
        self._spec = _spec(lines, OWN_FILE)
        self._taken = [line[1:].strip().strip("/") for line in lines if line.startswith("!")]

    def decide(self, path: str, *, folder: bool) -> bool | None:
        """Return True where a path is left out, False where it is taken along, None where nothing is said."""
        return _decide(self._spec, path, folder=folder)

    def reaches_into(self, folder: str) -> bool:
        """Return whether a line with ! names something in a folder that is left out otherwise."""
        return any(line.startswith(f"{folder}/") for line in self._taken)


class GitIgnoreFiles:
    """The .gitignore files of a folder that git does not know, or where there is no git."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._specs: dict[str, GitIgnoreSpec | None] = {}

    def leaves_out(self, path: str, *, folder: bool) -> bool:
        """Return whether a path is ignored; of several files that say something, the nearest counts."""
        for base in _folders_of(path):
            if base not in self._specs:
                lines = _lines(self._folder / base / ".gitignore")
                self._specs[base] = _spec(lines, f"{base}/.gitignore".lstrip("/")) if lines else None
            spec = self._specs[base]
            said = _decide(spec, path[len(base) :].lstrip("/"), folder=folder) if spec else None
            if said is not None:
                return said
        return False


class GitListing:
    """What git has listed of a folder: all else is ignored."""

    def __init__(self, files: frozenset[str]) -> None:
        self._files = files
        self._folders = {folder for file in files for folder in _folders_of(file)}

    def leaves_out(self, path: str, *, folder: bool) -> bool:
        """Return whether git ignores a path. An empty folder counts as ignored: git knows none."""
        return path not in (self._folders if folder else self._files)


def _folders_of(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the nearest first, "" last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _decide(spec: GitIgnoreSpec, path: str, *, folder: bool) -> bool | None:
    """Return what the last pattern that meets a path says: ignored or not; None where none meets it.

    `d/**` is about what lies in d, not about d, as git reads it; pathspec says otherwise of a folder.
    """
    found = spec.check_file(f"{path}/" if folder else path)
    if folder and found.include and found.index is not None:
        pattern = str(getattr(spec.patterns[found.index], "pattern", ""))
        if pattern.rstrip().endswith("/**"):
            found = spec.check_file(path)
    return found.include


def _spec(lines: Iterable[str], name: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise Invalid({"code": f"{name} has a pattern that cannot be read: {error}"}) from None


def _lines(path: Path) -> list[str]:
    """Return the lines of a file with patterns; none where there is none, or it is no plain file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return []
        with path.open("rb") as file:
            return os.fsdecode(file.read(_LARGEST)).splitlines()
    except OSError:
        return []

"""Names: the closest match of a misspelled word, and a job's name derived from its command."""

import re
import shlex
from collections.abc import Iterable, Sequence
from functools import lru_cache

_SHELLS = frozenset("bash dash ksh sh zsh".split())
_LAUNCHERS = _SHELLS | frozenset(
    "accelerate deepspeed env exec launch mpirun nice poetry run srun time torchrun uv".split()
)
_LONGEST_WORD = 253
"""Characters of a word that may be a misspelled one: looking for a likeness takes its time."""
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_NUMBERS = re.compile(r"([0-9]{1,18})")
_SCRIPT = re.compile(r"\.(py|sh|ipynb)$")


def closest_match(word: str, candidates: Iterable[str]) -> str:
    """Return the candidate that is closest to a misspelled word, or ""."""
    if len(word) > _LONGEST_WORD:
        return ""
    import difflib  # noqa: PLC0415  only a misspelling needs it

    return next(iter(difflib.get_close_matches(word.lower().replace("-", "_"), list(candidates), 1, 0.6)), "")


@lru_cache(20_000)
def natural_key(name: str) -> tuple[str | int, ...]:
    """Return a sort key by which td-2 comes before td-10, as people number their jobs."""
    parts: list[str | int] = list(_NUMBERS.split(name))
    parts[1::2] = [int(number) for number in _NUMBERS.findall(name)]
    return tuple(parts)


def slugify(text: str) -> str:
    """Return the nearest DNS-1123 label, at most 40 characters; may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")


def suggest_name(command: Iterable[str], taken: Iterable[str] = ()) -> str:
    """Derive a free name from a command: ("python", "train.py") -> "train", then "train-2"."""
    base = slugify(_program_name(list(command))) or "job"
    if base[0].isdigit():  # a Service that gets its name could not be called so
        base = f"job-{base}"
    used = set(taken)
    numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, len(used) + 2))
    return next(name for name in numbered if name not in used)


def _program_name(command: Sequence[str]) -> str:
    """Return what a command runs: a script, a module, the program; of inline code its interpreter."""
    programs = [word.rsplit("/", 1)[-1] for word in command]
    if "-c" in command:
        runner = programs[command.index("-c") - 1]
        return (
            _program_name(_split("".join(command[command.index("-c") + 1 :][:1])))
            if runner in _SHELLS
            else runner
        )
    script = next((name for name in programs if _SCRIPT.search(name)), None)
    if script:
        return _SCRIPT.sub("", script)
    names = (
        name
        for word, name in zip(command, programs, strict=True)
        if name not in _LAUNCHERS
        and not _PYTHON.fullmatch(name)
        and not word.startswith("-")
        and "=" not in word
    )
    return next(names, programs[0] if programs else "").rsplit(".", 1)[-1]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()

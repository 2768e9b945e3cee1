"""In what the specs of several jobs differ: only the fields, variables, labels and words that do. Pure."""

import shlex
from collections.abc import Sequence

from backend_client.models import JobSpec
from backend_client.models.fields import FIELD_NAMES, field_text
from backend_client.text.sanitize import clean

_BY_KEY = ("env", "labels")
"""Fields whose keys are compared one by one."""
UNSET = "-"


def spec_differences(specs: Sequence[JobSpec]) -> dict[str, list[str]]:
    """Return field -> its text in each spec, of the fields that differ, the name left out; all is clean."""
    rows: dict[str, list[str]] = {}
    for name in FIELD_NAMES:
        if name in _BY_KEY:
            for key in dict.fromkeys(key for spec in specs for key in getattr(spec, name)):
                rows[f"{name} {key}"] = [str(getattr(spec, name).get(key, UNSET)) for spec in specs]
        elif name == "command":
            rows[name] = _differing_words([spec.command for spec in specs])
        elif name != "name":
            rows[name.replace("_", " ")] = [field_text(name, getattr(spec, name)) or UNSET for spec in specs]
    return {
        clean(name, 60): [clean(text, 1000) for text in texts]
        for name, texts in rows.items()
        if len(set(texts)) > 1
    }


def _differing_words(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return of each command the words that differ, each with the flag before it."""
    if len(set(map(len, commands))) == 1:
        places = [place for place, words in enumerate(zip(*commands, strict=True)) if len(set(words)) > 1]
        shown = sorted(
            {*places, *(place - 1 for place in places if place and _is_flag(commands[0], place - 1))}
        )
        return [shlex.join(words[place] for place in shown) for words in commands]
    least = min(map(len, commands))
    first = next((n for n in range(least) if len({words[n] for words in commands}) > 1), least)
    last = next(
        (n for n in range(least - first) if len({words[-1 - n] for words in commands}) > 1), least - first
    )
    first -= bool(first and _is_flag(commands[0], first - 1))
    return [shlex.join(words[first : len(words) - last]) or UNSET for words in commands]


def _is_flag(words: Sequence[str], place: int) -> bool:
    return words[place].startswith("-")


def who_has(texts: Sequence[str], letters: str) -> list[tuple[str, str]]:
    """Return the texts of one field behind the letters of the jobs that have each: ("A,C", "0.1")."""
    jobs: dict[str, list[str]] = {}
    for letter, text in zip(letters, texts, strict=False):
        jobs.setdefault(text, []).append(letter)
    return [(",".join(who), text) for text, who in jobs.items()]

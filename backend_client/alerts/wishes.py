"""Which rules hold for one job: the defaults, the site's, the person's and the job's own, in that order."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from backend_client.models import Job, JobSpec
from backend_client.models.alert_thresholds import OFF, THRESHOLDS, parse_threshold

DEFAULTS: Mapping[str, str] = MappingProxyType({name: each.default for name, each in THRESHOLDS.items()})
_BY_THE_JOB_ALONE = ("gpu-idle", "rank-idle")
"""Off for shells and deployments, which wait for people, unless the job itself asks for them."""
_SHELLS = re.compile(r"(?:ba|z|fi|da|k|c|tc)?sh")
_WAITING = frozenset(
    {"sleep", "tail", "jupyter", "jupyter-lab", "jupyter-notebook", "code-server", "sshd", "tmux"}
)
_Items = tuple[tuple[str, str], ...]
_NO_WISHES: Mapping[str, str] = {}


def wishes_for(
    job: Job, person: Mapping[str, str] = _NO_WISHES, site: Mapping[str, str] = _NO_WISHES
) -> dict[str, str]:
    """Return rule -> "on", "off" or a threshold, for all rules; what cannot be read is left out."""
    return _merged((site, person), job.spec.alerts, waits_for_people(job.spec))


def _merged(layers: Iterable[Mapping[str, str]], own: Mapping[str, str], alone: bool) -> dict[str, str]:
    merged = dict(DEFAULTS)
    for layer in layers:
        merged.update(readable(layer))
    if alone:
        merged.update(dict.fromkeys(_BY_THE_JOB_ALONE, OFF))
    return merged | readable(own)


def readable(rules: Mapping[str, str]) -> dict[str, str]:
    """Return those of a person's wishes that can be read: a rule of another version is not known here."""
    wrong = problems(rules)
    return {name: text for name, text in rules.items() if name not in wrong}


def problems(rules: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with a person's wishes: rule -> sentence that names the rule and a way out."""
    wrong = {}
    for name, text in rules.items():
        try:
            parse_threshold(name, text)
        except ValueError as error:
            wrong[name] = str(error)
    return wrong


def thresholds_for(job: Job, person: Mapping[str, str] = _NO_WISHES) -> Mapping[str, float]:
    """Return the rules that are on for a job, with their thresholds. Quick: most jobs ask for the same."""
    alone = waits_for_people(job.spec)
    return _thresholds(tuple(person.items()), tuple(job.spec.alerts.items()), alone)


@lru_cache(maxsize=1024)
def _thresholds(person: _Items, own: _Items, alone: bool) -> Mapping[str, float]:
    merged = _merged((dict(person),), dict(own), alone)
    parsed = {name: parse_threshold(name, text) for name, text in merged.items()}
    return MappingProxyType({name: limit for name, limit in parsed.items() if limit is not None})


def waits_for_people(spec: JobSpec) -> bool:
    """Return whether a job is a shell, a notebook or a service: its GPUs wait for people, not for data."""
    if spec.kind == "deployment":
        return True
    words = [word.rpartition("/")[2] for word in spec.command]
    if not words:
        return False
    if _SHELLS.fullmatch(words[0]):
        script = next(
            (spec.command[i + 1] for i, w in enumerate(words[:-1]) if re.fullmatch(r"-\w*c", w)), None
        )
        if script is None:
            return all(word.startswith("-") for word in words[1:])
        lines = re.split(r"\n|;|&&|\|\|", script.strip().rstrip(";"))
        words = lines[-1].strip().removeprefix("exec ").split() or [""]
        return words[0].rpartition("/")[2] in _WAITING
    return words[0] in _WAITING

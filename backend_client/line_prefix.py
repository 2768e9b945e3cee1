"""What launchers and loggers put before a line: ranks, hosts, pods, times, levels, names. Pure.

Both readers of lines, that of progress and that of first errors, ask here, so each knows what the other does.
"""

import re

_READ_NOT = (
    rb"(?i:epoch|step|iter|batch|global|num_|loss|lr\b|acc|top\d|(?:train(?:ing)?"
    rb"|val(?:id(?:at(?:ion|e|ing))?|s)?|eval(?:s|uat(?:e|ion|ing|or))?|test(?:s|ing)?|benchmark(?:ing)?"
    rb"|dev(?:set)?|hold-?out|held-?out|predict(?:ion|ing)?|inference|sanity)(?:[_-][a-z]|(?![\w-]))|learning|time\b|eta\b|total|mean|avg|best|phase|split|mode"
    rb"|stage|fold)"
)
"""Words that say something of a training are no name of a host, a service or a logger."""
_CLOCK = rb"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?[AP]M\b)?"
_TIME = (
    rb"(?:\d{4}[-/.]\d\d[-/.]\d\d(?:[T _]" + _CLOCK + rb")?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)\b)?"
    rb"|\d\d[-/]\d\d(?:[-/]\d{2,4})?[ T]" + _CLOCK + rb"|" + _CLOCK + rb"(?=[\s\]|,-])"
    rb"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d "
    rb"(?:\d{4} )?" + _CLOCK + rb")"
)
_HOST = rb"(?:\d{1,3}(?:\.\d{1,3}){3}|(?!" + _READ_NOT + rb")(?=[a-z.]{0,40}[\d-])[a-z][a-z0-9.-]{0,62})"

_LAUNCHER = re.compile(
    rb"[ \t]{0,40}(?:"
    rb"\[(?:[^\[\]]{0,30}\b(?i:rank)[ :=_]{0,2}\d{1,6}|(?:default|worker|node|gpu|local_rank|proc|host"
    rb"|replica)"
    rb"[ :=_-]?\d{1,6})[^\[\]]{0,20}\]:?"  # torchrun --tee, torch's excepthook, accelerate, DeepSpeed
    rb"|\[[\w,:. -]{1,60}\]<std(?:out|err|diag)>:?"  # mpirun --tag-output, horovodrun, SageMaker
    rb"|\([^()\n]{0,80}\bpid=\d{1,9}[^()\n]{0,60}\)|\(raylet[^()\n]{0,60}\)"  # Ray
    rb"|\[pod/[^\]\n]{1,120}\]"  # kubectl logs --prefix
    rb"|\d{1,5}: (?=[ \t]*(?:[^\d\s]|\d{1,3}%))"  # srun -l
    rb"|(?i:rank|proc|worker)[ _]?\d{1,6}: "
    rb"|" + _HOST + rb"(?:/\d{1,5})?: "  # DeepSpeed over pdsh
    rb"|(?!" + _READ_NOT + rb")[A-Za-z][\w.-]{0,60} {1,40}\| "  # docker compose
    rb"|\[" + _TIME + rb"[^\[\]]{0,60}\]:?|" + _TIME + rb"(?=[\s|:,\]-]|$)"
    rb")(?:[ \t]*[|>-]{1,2}(?=[ \t]))?[ \t]*"
)

_LEVEL = rb"(?:TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERROR|CRITICAL|FATAL|info|debug|warning|error)"
_NAME = rb"(?!" + _READ_NOT + rb"|" + _LEVEL + rb"\b)[A-Za-z_][\w./-]{0,60}(?::[\w.<>]{1,40}){0,2}"
_LOGGER = re.compile(
    rb"[ \t]{0,40}(?:"
    rb"[IWEF]\d{4} " + _CLOCK + rb" +\d{1,20} [^\s\]]{1,80}:\d{1,6}\]"  # glog, absl
    rb"|\[" + _LEVEL + rb"\b[^\[\]]{0,80}\][ \t]*(?:" + _TIME + rb" *>>)?"  # transformers
    rb"|\[[\w.]{1,60}\]\[" + _LEVEL + rb"\]"  # hydra
    rb"|\[" + _NAME + rb" *\]"
    rb"|\(" + _NAME + rb":\d{1,6}\)"
    rb"|" + _LEVEL + rb"(?::[\w.]{1,60}:(?=\S| )|\b:?)(?:[ \t]{1,9}" + _TIME + rb")?"
    rb"|[\w./-]{1,80}\.(?:py|cpp|cc|cu|rs|go):\d{1,6}(?::\w{1,40})?[\])>:]{0,2}"
    rb"|>>"
    rb")(?:[ \t]*[|>:-]{1,2}(?=[ \t]))?[ \t]*"
)
_LOGGER_NAME = re.compile(rb"[ \t]{0,40}" + _NAME + rb"(?: {1,20}[-|] |: (?![ \t]*[\d\[]))[ \t]*")
"""A name between a time or a level and the words: "- root -", "__main__: "."""
_RANK = re.compile(rb"(?i)(?:rank|default)[ :=_]{0,2}(\d{1,6})|\[1,(\d{1,6})\]|^[ \t]*(\d{1,5}): ")
_MOST = 8
"""Prefixes that stand one behind the other."""


def launcher_end(line: bytes) -> int:
    """Return where the words of a line begin, behind the ranks, hosts and times before them."""
    at = 0
    for _ in range(_MOST):
        found = _LAUNCHER.match(line, at)
        if not found:
            break
        at = found.end()
    return at


def strip_launcher(line: bytes) -> bytes:
    """Return a line without the ranks, hosts, services, pods and times before it."""
    return line[launcher_end(line) :]


def strip_prefix(line: bytes) -> bytes:
    """Return a line without what a launcher and a logger have put before its words."""
    at = 0
    for _ in range(_MOST):
        found = _LAUNCHER.match(line, at) or _LOGGER.match(line, at) or (at and _LOGGER_NAME.match(line, at))
        if not found:
            break
        at = found.end()
    return line[at:]


def rank_of(line: bytes) -> int:
    """Return the rank that a line's prefix names; 0 where it names none."""
    found = _RANK.search(line, 0, launcher_end(line))
    return int(next(filter(None, found.groups()), 0)) if found else 0

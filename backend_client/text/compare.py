"""What is said of jobs that stand over one another: their series, last and best figures. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from backend_client.errors import fragment
from backend_client.progress.points import NO_STEP, Points
from backend_client.progress.series import LOSS, MOST_SERIES
from backend_client.progress.series_reader import SeriesReader
from backend_client.text.empty_reason import empty_reason
from backend_client.text.figures import short
from backend_client.text.sanitize import clean

LETTERS = "ABCDEFGH"
"""One for each of them: by these the lines of a plot are told apart, beside their colours."""
NO_SERIES = "no line of its log tells a loss, or another figure with a name"
NOTHING_YET = "No line of these logs tells a loss, or another figure with a name, so far."

_LOWER = re.compile(
    r"(?:\w*loss(?:es)?|nll|err(?:or)?|ppl|perplexity|bpb|bpc|[wcm]er|mae|r?mse|fid|kl|entropy)$"
)
_HIGHER = re.compile(
    r"(?:acc(?:uracy)?\d?|top\d|f1|rewards?|returns?|bleu|rouge\w*|m?ap\d*|auc|auroc|score|precision|recall"
    r"|psnr|ssim|m?iou|dice|mfu|r2|throughput|per|tps)$"
)
"""Words of a name that say which end of a series is its best; "per" is that of tokens_per_sec."""
_NO_MEASURE = frozenset({"scale", "scaler", "weight", "coef", "coefficient", "threshold", "window"})
"""Words that make a setting of a name: loss_scale."""


def series_names(all_series: Iterable[Mapping[str, Points]]) -> list[str]:
    """Return the names of all series: the loss first, then those that most jobs tell."""
    counts: dict[str, int] = {}
    for by_name in all_series:
        for name in by_name:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (name != LOSS, -counts[name], name))


def best_end(name: str) -> Literal["lowest", "highest", ""]:
    """Return which end of a series is its best, by its name; "" where the name does not say."""
    words = re.findall(r"[a-z0-9]+", name)
    if not _NO_MEASURE.isdisjoint(words):
        return ""
    if any(map(_LOWER.match, words)):
        return "lowest"
    return "highest" if any(map(_HIGHER.match, words)) else ""


def figure_titles(name: str) -> list[str]:
    """Return the titles of a table of last and best figures."""
    best = best_end(name)
    return ["LAST", f"BEST: {best.upper()}"] if best else ["LAST", "LOWEST", "HIGHEST"]


def figure_cells(name: str, points: Points | None) -> list[str]:
    """Return a job's last and best figures, with their steps, for these titles."""
    if points is None:
        return [""] * len(figure_titles(name))
    last = points.last
    now = _since(*points.not_finite) if points.not_finite else _at(last)
    ends = {"lowest": [points.lowest], "highest": [points.highest], "": [points.lowest, points.highest]}
    return [now, *map(_at, ends[best_end(name)])]


def figure_text(figure: float) -> str:
    """Format any figure in four digits."""
    return f"{figure:.4g}"


def _at(point: tuple[int, float] | None) -> str:
    if point is None:
        return ""
    step, figure = point
    return figure_text(figure) if step == NO_STEP else f"{figure_text(figure)} ({short(step)})"


def _since(step: int, word: str) -> str:
    return word if step == NO_STEP else f"{word} since {short(step)}"


def note(reader: SeriesReader, name: str) -> str:
    """Say why a job has no such series, or which part of its log was read; "" where all is well."""
    by_name = reader.series.by_name
    if reader.trouble:
        return clean(fragment(reader.trouble.title), 200)
    if not reader.lines:
        reason = empty_reason(reader.job, reader.backend, reading=not reader.answered)
        return reason[:1].lower() + reason[1:]
    if not by_name:
        return NO_SERIES
    if name not in by_name:
        return f"tells no {clean(name, 40)}"
    part = f"last {reader.lines:,} lines" if reader.is_part else ""
    more = f"only {MOST_SERIES} series are read" if reader.series.left_out else ""
    return ", ".join(filter(None, (part, more)))


def chosen_or_first(names: Sequence[str], chosen: str) -> str:
    """Return the series that is chosen, where it is told; else the first of all."""
    return chosen if chosen in names or not names else names[0]

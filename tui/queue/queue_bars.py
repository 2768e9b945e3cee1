"""The queues as bars, and the rows of what waits, in the cells of a screen. Pure."""

from collections.abc import Iterator, Sequence

from textual.content import Content

from backend_client.queues import ClusterQueueInfo, FlavorQuota, QueueBoard
from backend_client.text.queues import (
    bar,
    has_several_clusters,
    held_words,
    longest,
    queue_name,
    queue_words,
    quota_words,
    shown_quotas,
)
from backend_client.text.sanitize import clean
from tui.ui.format import fit

_OWN, _BORROWED, _IDLE = "\u2588", "\u2593", "\u2591"
_RIGHT = (5, 6, 7)
_LONGEST = {2: 30, 3: 14, 4: 18, 8: 20}
"""Column -> the most cells that it gets."""
_FLAVOR_CELLS = 14


def draw(board: QueueBoard, width: int) -> Content:
    """Draw every ClusterQueue with a bar for each flavor; LocalQueues where those are hidden."""
    several = has_several_clusters(board)
    most = longest(board)
    lines: list[Content] = []
    for queue in board.cluster_queues:
        lines.append(_heading(queue_name(queue, several_clusters=several), queue_words(queue), width))
        lines += [_quota_line(board, queue, quota, width, most) for quota in shown_quotas(queue)]
    if not board.cluster_queues:
        for local in board.local_queues:
            lines.append(_heading(queue_name(local, several_clusters=several), queue_words(local), width))
            lines.append(Content(f"   {clean(held_words(local), max(10, width - 4))}"))
    return Content("\n").join(lines)


def column_widths(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the cells of each column: what its texts need, the name what is left where that is less."""
    widths = [
        min(max(len(row[column]) for row in table), _LONGEST.get(column, 12))
        for column in range(len(table[0]))
    ]
    over = sum(widths) + len(widths) + 1 - width
    widths[2] = max(8, widths[2] - max(0, over))
    return widths


def format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one row in columns of these widths."""
    parts = (
        fit(text, cell, right=at in _RIGHT) for at, (text, cell) in enumerate(zip(cells, widths, strict=True))
    )
    return f" {' '.join(parts)}".rstrip()


def _heading(name: str, words: str, width: int) -> Content:
    rest = max(10, width - len(name) - 4)
    return Content.assemble(" ", (name, "bold"), "  ", (clean(words, rest), "$text-muted"))


def _quota_line(
    board: QueueBoard, queue: ClusterQueueInfo, quota: FlavorQuota, width: int, most: int
) -> Content:
    room = max(10, min(40, width // 4))
    drawn = bar(quota, room, most)
    cells = drawn.own + drawn.borrowed + drawn.idle
    words = quota_words(board, queue, quota)
    return Content.assemble(
        f"   {fit(clean(quota.flavor, 30), _FLAVOR_CELLS)} ",
        *_pieces(drawn.own, drawn.borrowed, drawn.idle),
        " " * max(1, room + 1 - cells),
        clean(words, max(10, width - room - _FLAVOR_CELLS - 6)),
    )


def _pieces(own: int, borrowed: int, idle: int) -> Iterator[tuple[str, str]]:
    yield _OWN * own, "$success"
    yield _BORROWED * borrowed, "$warning"
    yield _IDLE * idle, "$text-muted"

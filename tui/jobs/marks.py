"""The marks of the job list: which jobs are marked, and where the last mark was put. Pure."""

from collections.abc import Collection, Iterator, Set

from tui.jobs.rows import LineKey, Rows


class Marks:
    """The uids of the marked jobs, wherever the filter and the folds of the list are."""

    def __init__(self) -> None:
        self._uids: set[str] = set()
        self._last: LineKey = ""

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def __iter__(self) -> Iterator[str]:
        return iter(self._uids)

    def hold_all(self, uids: Collection[str]) -> bool:
        """Return True if every one of these jobs, of which there is one at least, is marked."""
        return len(uids) <= len(self._uids) and self._uids.issuperset(uids)

    def toggle(self, rows: Rows, line: int) -> None:
        """Mark the jobs that a line stands for; where all of them are marked, mark them no more."""
        self._toggle(rows.uids_at(line))
        self._last = rows.key(line)

    def toggle_all(self, rows: Rows) -> None:
        """Mark all jobs of the list; where all are marked, none of them."""
        self._toggle(rows.uids)

    def add_range(self, rows: Rows, line: int) -> None:
        """Mark all jobs from the line that was marked last to this one."""
        start = rows.line(self._last)
        first, last = sorted((line if start is None else start, line))
        for found in rows.lines[first : last + 1]:
            if isinstance(found, str):
                self._uids.add(found)
            elif found.folded:
                self._uids.update(found.uids)
        self._last = rows.key(line)

    def discard(self, uids: Set[str]) -> None:
        """Take the mark off jobs that are gone."""
        self._uids -= uids

    def clear(self) -> None:
        """Take the mark off every job."""
        self._uids.clear()
        self._last = ""

    def _toggle(self, uids: Collection[str]) -> None:
        if self.hold_all(uids):
            self._uids.difference_update(uids)
        else:
            self._uids.update(uids)

"""Search, filter, ranks and the first error over a buffer, without an App."""

import pytest

from backend_client.logs import LogBuffer
from tests.tui.log.support.log_host import LogHost
from tests.tui.log.support.logs import PlainDisplay, append, buffer_of
from tui.log.search import LogSearch


class Searched:
    """A search over a log; `settle` lets its workers work, and takes what they post."""

    def __init__(self, buffer: LogBuffer, *, tail: int | None = None) -> None:
        self.host, self.view = LogHost(), PlainDisplay(buffer)
        self.summaries: list[str] = []
        self.search = LogSearch(
            self.host, self.view, tail, changed=lambda: self.summaries.append(self.search.summary)
        )

    async def settle(self) -> str:
        for group in ("scan", "error"):
            await self.host.work(group)
        messages, self.host.messages = self.host.messages, []
        for message in messages:
            scanned = isinstance(message, LogSearch.Scanned)
            (self.search.show_scan if scanned else self.search.show_first_error)(message)
        await self.host.work("scan")
        for message in self.host.messages:
            self.search.show_scan(message)
        self.host.messages = []
        return self.search.summary


def losses(count: int) -> list[bytes]:
    return [b"step %d loss" % n if n % 10 == 0 else b"step %d" % n for n in range(count)]


async def test_a_search_begins_at_the_end_of_the_screen_and_goes_round():
    searched = Searched(buffer_of(*losses(100)))
    searched.search.search_for("loss")
    assert searched.search.summary == "searching ..."
    assert await searched.settle() == "10 of 10"
    assert (searched.view.current, searched.search.text) == (90, "loss")
    searched.search.step(1)
    assert (searched.search.summary, searched.view.current) == ("1 of 10", 0)
    assert searched.view.viewport.first == 0
    searched.search.step(-1)
    assert searched.search.summary == "10 of 10"


async def test_new_lines_are_scanned_where_something_is_searched_for():
    buffer = buffer_of(*losses(10))
    searched = Searched(buffer)
    append(buffer, b"loss")
    searched.search.scan_new_lines()
    assert not searched.host.workers
    searched.search.search_for("loss")
    assert await searched.settle() == "2 of 2"
    append(buffer, b"loss")
    searched.search.scan_new_lines()
    assert await searched.settle() == "2 of 3"


async def test_an_old_scan_shows_nothing():
    searched = Searched(buffer_of(*losses(20)))
    searched.search.search_for("los")
    await searched.host.work("scan")
    searched.search.search_for("nothing")
    assert await searched.settle() == "no match"
    assert searched.view.current == -1


async def test_a_wrong_expression_is_said_and_the_filter_stays():
    searched = Searched(buffer_of(*losses(20)))
    searched.search.filter_by("loss")
    await searched.settle()
    searched.search.filter_by("/(/")
    assert searched.search.summary.startswith("Not a regular expression")
    assert searched.view.texts == ["step 0 loss", "step 10 loss"]
    searched.search.filter_by("/s$/")
    assert await searched.settle() == "only /s$/"
    assert searched.search.filter_text == "/s$/"


async def test_a_search_goes_on_among_the_lines_of_a_rank():
    buffer = buffer_of(b"loss 0", b"loss 1")
    append(buffer, b"loss 2", rank=7)
    searched = Searched(buffer)
    searched.search.search_for("loss")
    assert await searched.settle() == "3 of 3"
    searched.search.step_rank(-1)
    assert await searched.settle() == "rank 7   1 of 1"
    assert (searched.view.texts, searched.search.rank) == (["loss 2"], 7)
    searched.search.step_rank(1)
    assert await searched.settle() == "3 of 3"


async def test_what_is_cleared_says_whether_there_was_something():
    searched = Searched(buffer_of(*losses(20)))
    assert not searched.search.clear_search()
    assert not searched.search.clear_filter()
    searched.search.search_for("loss")
    searched.search.filter_by("1")
    await searched.settle()
    assert searched.search.clear_search()
    assert searched.search.clear_filter()
    assert await searched.settle() == ""
    assert len(searched.view.texts) == 5


@pytest.mark.parametrize(("tail", "part"), [(None, ""), (50, " in the last 50 lines"), (10_000, "")])
async def test_the_first_error_is_gone_to_even_where_a_filter_hides_it(tail, part):
    lines = losses(100)
    lines[40] = b"KeyError: 'x'"
    searched = Searched(buffer_of(*lines), tail=tail)
    searched.search.filter_by("loss")
    await searched.settle()
    searched.search.find_first_error()
    assert await searched.settle() == f"first error: exception{part}"
    assert searched.view.current == 40
    assert "KeyError: 'x'" in searched.view.texts


async def test_another_log_is_neither_searched_nor_told_the_error_of_the_one_before():
    searched = Searched(buffer_of(*losses(10)))
    searched.search.search_for("loss")
    searched.search.find_first_error()
    searched.search.reset()
    searched.view.viewport.show(buffer_of(b"another"))
    assert await searched.settle() == ""
    assert searched.view.search is None


async def test_whoever_shows_the_summary_is_called_when_it_changes():
    searched = Searched(buffer_of(*losses(100)))
    searched.search.search_for("loss")
    await searched.settle()
    searched.search.step(1)
    assert searched.summaries[-1] == "1 of 10"


async def test_a_line_without_a_newline_is_searched_as_well():
    buffer = append(buffer_of(*losses(10)), b"\r10% loss", unfinished=True)
    searched = Searched(buffer)
    searched.search.search_for("loss")
    assert await searched.settle() == "2 of 2"
    assert searched.view.current == 10
    append(buffer, b"\r20% acc", unfinished=True)
    searched.search.scan_new_lines()
    assert searched.search.summary.startswith("1 matching line")

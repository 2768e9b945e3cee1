"""Files that a node skips in an unbroken stream: every one marked, and no pause taken for one."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.logs.kubelet_lines import first_time
from backend_client.kubernetes.logs.skipped_files import SkippedFiles, round_up
from backend_client.protocol import Gap
from tests.backend_client.kubernetes.logs.test_stream import Node, all_of, lines, node
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.faults import chunk
from tests.backend_client.kubernetes.support.kubelet import SECOND, Chunk, render

START = 1_790_000_000 * SECOND


def test_a_file_that_never_came_is_a_gap_with_its_times_and_about_how_many_lines() -> None:
    skipped = SkippedFiles()
    assert skipped.gaps([START + n * SECOND // 100 for n in range(1000)]) == []
    skipped.saw(START + 12 * SECOND)
    ((index, why),) = skipped.gaps([START + 30 * SECOND, START + 31 * SECOND])
    assert index == 0
    assert why.startswith("14:13:29-14:13:50 UTC, about 2,100 lines at most; ")


@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.booleans()), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_a_file_is_marked_if_and_only_if_it_was_seen_and_skipped(
    files: list[tuple[int, bool, bool]], batch: int
) -> None:
    """(seconds of pause before the file, it was the newest when somebody looked, it is read)."""
    skipped, now, came, expected = SkippedFiles(), START, [], []
    missing = False
    for pause, seen, read in [(1, True, True), *files, (1, True, True)]:
        now += pause * SECOND
        if came and seen:
            skipped.saw(now)
        if read:
            expected += [now] if missing else []
            missing = False
            came += [now, now + 1]
            times = came[-2:]
            found = [
                times[at + index]
                for at in range(0, 2, batch)
                for index, _ in skipped.gaps(times[at : at + batch])
            ]
            assert found == expected[-1:] * (expected[-1:] == [now])
        else:
            missing = missing or bool(came and seen)
    assert skipped._starts == []


def test_no_line_that_has_come_is_ever_missing() -> None:
    skipped = SkippedFiles()
    skipped.gaps([START])
    skipped.saw(START)
    skipped.saw(START + 5 * SECOND)
    assert skipped.gaps([START + 1, START + 5 * SECOND, START + 9 * SECOND]) == []


@pytest.mark.parametrize(("count", "said"), [(0, 1), (7.9, 7), (99, 99), (101, 110), (337_261, 340_000)])
def test_about_how_many(count: float, said: int) -> None:
    assert round_up(count) == said


def test_the_time_of_the_first_line_in_a_few_bytes() -> None:
    data = render([Chunk(START + 7, b"x" * 100)])[:64]
    assert first_time(data) == START + 7
    assert first_time(b"") == 0
    assert first_time(b"unable to retrieve container logs") == 0


class Rotating(Node):
    """Sends a line of one file each half second, from far behind, then the lines of the next one it has."""

    def __init__(self, *, skips: bool) -> None:
        super().__init__()
        self.skips, self.looks = skips, 0
        self.now = time.time_ns() - 600 * SECOND

    async def _log(self, writer: asyncio.StreamWriter, query: dict[str, str]) -> bool:
        if "limitBytes" not in query and "follow" not in query:
            return await super()._log(writer, query)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if "limitBytes" in query:
            self.looks += 1
            newest = self.now + (60 if self.skips and self.looks == 1 else 300) * SECOND
            chunk(writer, render([Chunk(newest, b"newest")])[: int(query["limitBytes"])])
        else:
            for number in range(16):
                chunk(writer, render([Chunk(self.now + number, b"old %d" % number)]))
                await writer.drain()
                await asyncio.sleep(0.5)
            self.file.write(Chunk(self.now + 300 * SECOND, b"new"))
            chunk(writer, self.file.given())
            self.ended()
        chunk(writer, b"")
        return True


@pytest.mark.parametrize("skips", [True, False])
def test_only_a_skipped_file_is_marked_not_a_pause(skips: bool) -> None:
    async def main() -> None:
        async with node(Rotating(skips=skips)) as (api, transport):
            items = await all_of(transport, follow=True)
            assert lines(items) == [*[f"old {n}" for n in range(16)], "new"]
            gaps = [item for item in items if isinstance(item, Gap)]
            assert len(gaps) == skips
            assert 2 <= api.looks <= 5
            if skips:
                assert items[items.index(gaps[0]) + 1].lines == [b"new"]

    run(main())

"""Logs from a scripted API server that fails in the ways that a real one cannot be made to show."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from backend_client.errors import Forbidden, Invalid, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.stream import stream_job_log
from backend_client.models import JobRef
from backend_client.protocol import Closed, Gap, Lines, LogItem, LogQuery, Opened
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.faults import FaultyApi, Pods, chunk
from tests.backend_client.kubernetes.support.kubelet import SECOND, Chunk, LogFile, render
from tests.support.faults import reset

REF = JobRef("k", "ns", "pod", "p", "u")
START = 1_790_000_000 * SECOND


class Node(FaultyApi):
    """One pod `p` with a log. `script` says how each answer to a log request ends, the last one for ever.

    "end", "cut" (reset), "cut line" (within the last one), "quiet" (silence for ever), "no head",
    or a status.
    """

    def __init__(self) -> None:
        super().__init__(Pods())
        self.file = LogFile()
        self.script = ["end"]
        self.queries: list[dict[str, str]] = []
        self.restarts = 0
        self.previous: LogFile | None = None
        self.running()

    def running(self) -> None:
        self._put("Running", {"running": {}})

    def ended(self) -> None:
        self._put("Succeeded", {"terminated": {"exitCode": 0, "containerID": f"c{self.restarts}"}})

    def restarted(self) -> None:
        self.previous, self.file = self.file, LogFile()
        self.restarts += 1
        self.running()

    def _put(self, phase: str, state: dict[str, Any]) -> None:
        before = {"terminated": {"exitCode": 1, "containerID": f"c{self.restarts - 1}"}}
        container = {
            "name": "main",
            "containerID": f"c{self.restarts}",
            "restartCount": self.restarts,
            "state": state,
            "lastState": before if self.restarts else {},
        }
        status = {"phase": phase, "containerStatuses": [container]}
        self.pods.put("p", "u", spec={"containers": [{"name": "main"}]}, status=status)

    def write(self, *texts: str, at: float = 0.0) -> None:
        self.file.write(*(Chunk(START + int(at * SECOND) + n, text.encode()) for n, text in enumerate(texts)))

    async def _list(self, writer: asyncio.StreamWriter, query: dict[str, str]) -> bool:
        path = self.requests[-1][1]
        if path.endswith("/log"):
            return await self._log(writer, query)
        if path.endswith("/pods/p"):
            pod = self.pods.now.get("p")
            return await (
                self._answer(writer, 200, json.dumps(pod).encode()) if pod else self._status(writer, 404)
            )
        return await super()._list(writer, query)

    async def _log(self, writer: asyncio.StreamWriter, query: dict[str, str]) -> bool:
        self.queries.append(query)
        end = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if end.isdigit():
            return await self._status(writer, int(end))
        if end == "no head":
            await asyncio.Event().wait()
        file = self.previous if "previous" in query and self.previous else self.file
        data = file.given(_seconds(query), int(query["tailLines"]) if "tailLines" in query else None)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if data:
            chunk(writer, data[:-3] if end == "cut line" else data)
        await writer.drain()
        if end == "quiet" and "follow" in query:
            await asyncio.Event().wait()
        if end.startswith("cut"):
            reset(writer)
            return False
        chunk(writer, b"")
        return True


def _seconds(query: dict[str, str]) -> int:
    return int(datetime.fromisoformat(query["sinceTime"]).timestamp()) if "sinceTime" in query else 0


@contextlib.asynccontextmanager
async def node(api: Node | None = None) -> AsyncIterator[tuple[Node, Transport]]:
    api = api or Node()
    await api.start()
    transport = Transport(api.target())
    yield api, transport
    await transport.aclose()
    await api.stop()


async def all_of(transport: Transport, after: str = "", **query: Any) -> list[LogItem]:
    found = stream_job_log(transport, LogQuery(ref=REF, **query), after=after)
    return [item async for batch in found for item in batch]


def lines(items: Sequence[LogItem]) -> list[str]:
    return [line.decode() for item in items if isinstance(item, Lines) for line in item.lines]


def cursor(items: Sequence[LogItem]) -> str:
    return [item.cursor for item in items if isinstance(item, Lines)][-1]


@pytest.mark.parametrize("end", ["cut", "cut line"])
def test_a_cut_closes_as_lost_and_the_cursor_goes_on(end: str) -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one", "two", "three")
            api.script = [end, "end"]
            items = await all_of(transport, follow=True)
            assert isinstance(items[-1], Closed)
            assert items[-1].lost
            api.write("four", at=1)
            api.ended()
            more = await all_of(transport, cursor(items), follow=True)
            assert lines(items) + lines(more) == ["one", "two", "three", "four"]
            assert more[-1] == Closed("Succeeded")
            assert not any(isinstance(item, Gap) for item in more)

    run(main())


def test_a_node_that_fails_is_asked_again_while_the_log_is_followed() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one")
            api.ended()
            api.script = ["500", "500", "500", "500", "end"]
            items = await all_of(transport, follow=True)
            assert lines(items) == ["one"]
            assert items[-1] == Closed("Succeeded")
            api.script = ["500"]
            once = await all_of(transport)
            assert [type(item) for item in once] == [Opened, Gap, Closed]

    run(main())


@pytest.mark.parametrize("silence", ["quiet", "no head"])
def test_a_log_that_is_silent_for_five_minutes_is_opened_again(silence: str) -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one")
            api.script = [silence, silence, "end"]
            task = asyncio.create_task(all_of(transport, follow=True))
            clock = asyncio.get_running_loop().time
            began = clock()
            while len(api.queries) < 3 and not task.done():
                await asyncio.sleep(10)
            assert 600 <= clock() - began < 640
            api.write("two", at=1)
            api.ended()
            items = await task
            assert lines(items) == ["one", "two"]
            assert not any(isinstance(item, Gap) for item in items)

    run(main())


def test_an_end_that_the_pod_does_not_confirm_is_none() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one")
            task = asyncio.create_task(all_of(transport, follow=True))
            await asyncio.sleep(5)
            assert len(api.queries) > 3
            api.write("two", at=1)
            await asyncio.sleep(3)
            api.write("three", at=2)
            api.ended()
            assert lines(await task) == ["one", "two", "three"]

    run(main())


def test_a_rotated_log_is_marked() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one", "two")
            api.script = ["cut", "end"]
            items = await all_of(transport, follow=True)
            api.write("three", "four", at=20)
            api.file.rotate(1)
            api.ended()
            more = await all_of(transport, cursor(items), follow=True)
            assert lines(items) + lines(more) == ["one", "two", "four"]
            gap, told, *_ = more
            assert isinstance(gap, Gap)
            assert "possible gap" in gap.why
            assert isinstance(told, Lines)

    run(main())


def test_the_next_run_s_log_is_never_taken_for_the_rest_of_this_one() -> None:
    """A node knows of a restart before it stands in the pod."""

    async def main() -> None:
        async with node() as (api, transport):
            api.write("one", "two")
            api.script = ["end"]
            task = asyncio.create_task(all_of(transport, follow=True))
            await asyncio.sleep(0.5)
            old = api.file
            old.write(Chunk(START + SECOND, b"last words"))
            api.file = LogFile()
            api.write("again", at=9)
            await asyncio.sleep(1.5)
            new, api.file = api.file, old
            api.restarted()
            api.file = new
            await asyncio.sleep(5)
            api.ended()
            items = await task
            assert lines(items) == ["one", "two", "last words", "again"]
            assert [item.source.attempt for item in items if isinstance(item, Opened)] == [1, 2]
            assert not any(isinstance(item, Gap) for item in items)

    run(main())


def test_a_restart_while_the_link_was_broken_loses_nothing() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one", "two")
            api.script = ["cut", "end"]
            items = await all_of(transport, follow=True)
            api.write("last words", at=1)
            old, api.file = api.file, LogFile()
            api.write("again", at=9)
            task = asyncio.create_task(all_of(transport, cursor(items), follow=True))
            await asyncio.sleep(1)
            new, api.file = api.file, old
            api.restarted()
            api.file = new
            await asyncio.sleep(5)
            api.ended()
            more = await task
            assert lines(more) == ["last words", "again"]
            assert not any(isinstance(item, Gap) for item in more)

    run(main())


def test_what_went_with_its_pod_is_marked() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one")
            api.script = ["cut"]
            items = await all_of(transport, follow=True)
            api.pods.remove("p")
            more = await all_of(transport, cursor(items), follow=True)
            assert [type(item) for item in more] == [Gap, Closed]
            assert more[-1] == Closed("the job was deleted")

    run(main())


@pytest.mark.parametrize("torrent", [False, True])
def test_an_unfinished_line_comes_as_it_grows(torrent: bool) -> None:
    """A bar of a runtime that hands parts on at once: it never rests, or writes once in a while."""

    class Bar(Node):
        async def _log(self, writer: asyncio.StreamWriter, query: dict[str, str]) -> bool:
            self.queries.append(query)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk(writer, render([Chunk(START, b"first"), Chunk(START + 1, b"bar", partial=True)]))
            for number in range(100):
                await writer.drain()
                await asyncio.sleep(0.02 if torrent else 1)
                chunk(writer, b"\r%d%%" % number)
            await asyncio.Event().wait()
            return True

    async def main() -> None:
        async with node(Bar()) as (_, transport):
            items: list[LogItem] = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.9 if torrent else 4.9):
                    async for batch in stream_job_log(transport, LogQuery(ref=REF, follow=True)):
                        items += batch
            parts = [item for item in items if isinstance(item, Lines) and item.lines]
            assert parts[0].lines == [b"first"]
            assert b"".join(line for part in parts[1:] for line in part.lines).startswith(b"bar\r0%")
            assert all(part.open for part in parts[1:])
            assert 5 <= len(parts) <= 9

    run(main())


def test_tail_of_none_then_only_what_comes() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one", "two")
            api.script = ["end", "cut"]
            items = await all_of(transport, follow=True, tail=0)
            api.write("three", at=1)
            api.ended()
            api.script = ["end"]
            more = await all_of(transport, cursor(items), follow=True)
            assert lines(items) + lines(more) == ["three"]

    run(main())


def test_no_permission_is_said() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.script = ["403"]
            with pytest.raises(Forbidden):
                await all_of(transport, follow=True)

    run(main())


@pytest.mark.parametrize("text", ["rubbish", "k1:;x", "k1:;0;0=1:a:1.2", "k1:;0;0=1", "k1:;0;\x1b"])
def test_a_cursor_of_others_is_refused(text: str) -> None:
    async def main() -> None:
        async with node() as (_, transport):
            with pytest.raises(Invalid):
                await all_of(transport, text)

    run(main())


def test_never_more_than_fifty_logs_at_a_time() -> None:
    async def main() -> None:
        async with node() as (api, transport):
            api.write("one")
            api.script = ["quiet"]
            tasks = [asyncio.create_task(all_of(transport, follow=True)) for _ in range(60)]
            await asyncio.sleep(5)
            assert len(api.queries) == 50
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_the_scripted_node_gives_what_a_kubelet_gives() -> None:
    file = LogFile()
    file.write(Chunk(START, b"a", partial=True), Chunk(START + SECOND, b"b"), Chunk(START + SECOND, b"c"))
    assert file.given(START // SECOND + 1) == b"b\n2026-09-21T14:13:21.000000000Z c\n"
    assert file.given(tail=1) == render([Chunk(START + SECOND, b"c")])


@pytest.mark.parametrize(
    ("attempt", "error", "hint"),
    [
        (1, "The log of attempt 1 of ns/p is gone.", "Attempts with a log: 5, 6."),
        (3, "The log of attempt 3 of ns/p is gone.", "Attempts with a log: 5, 6."),
        (5, "", ""),
        (6, "", ""),
        (7, "ns/p has no attempt 7.", "There were 6 so far."),
    ],
)
def test_only_the_last_two_attempts_of_a_crash_loop_are_left(attempt: int, error: str, hint: str) -> None:
    async def main() -> None:
        async with node() as (api, transport):
            for number in range(1, 6):
                api.write(f"attempt {number}")
                api.restarted()
            api.write("attempt 6")
            if not error:
                assert lines(await all_of(transport, attempt=attempt)) == [f"attempt {attempt}"]
                return
            with pytest.raises(NotFound) as refused:
                await all_of(transport, attempt=attempt)
            assert refused.value.title == error
            assert hint in refused.value.hint

    run(main())

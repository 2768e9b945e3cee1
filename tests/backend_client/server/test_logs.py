"""A log over a line that breaks: each line once, and a break is told only when it lasts."""

import asyncio

import pytest

from backend_client.errors import LoginNeeded, Unreachable
from backend_client.logs.follow import follow
from backend_client.models import JobRef
from backend_client.models.secret import Secret
from backend_client.protocol import Closed, Gap, Lines, LogQuery, LogSource, Opened
from backend_client.server.backend import ServerBackend
from backend_client.server.wire import Bye, log_frame, watch_frame
from tests.backend_client.server.conftest import TOKEN
from tests.backend_client.server.support.scripted import answer, stream

REF = JobRef("gpu", "ns", "job", "train", "uid-1")
SOURCE = LogSource(1, 0, "pod")
OPENED, END = Opened(SOURCE), Closed("Succeeded")


@pytest.fixture
async def backend(server):
    made = ServerBackend("gpu", server.url, lambda: Secret(TOKEN))
    yield made
    await made.aclose()


def lines(number):
    return Lines(source=SOURCE, lines=[b"line %d" % number], times=[number], cursor=f"c{number}")


def told(*items, end="close"):
    return stream(*map(log_frame, items), end=end)


async def items(batches):
    async with asyncio.timeout(60):
        return [item async for batch in batches for item in batch]


async def test_to_its_end(server, backend):
    whole = [OPENED, lines(1), Gap(SOURCE, "rotated"), lines(2), END]
    server.script = [told(*whole)]
    assert await items(backend.logs(LogQuery(ref=REF, follow=True, tail=5, rank=0))) == whole
    asked = server.asked[0].target
    assert asked.startswith("/api/jobs/train/logs?uid=uid-1")
    assert {"tail=5", "rank=0", "follow=true"} <= set(asked.partition("?")[2].split("&"))


@pytest.mark.parametrize("end", ["close", "cut", "reset"])
async def test_a_break_is_not_told_where_the_line_is_back_at_once(server, backend, end):
    server.script = [told(OPENED, lines(1), end=end), told(OPENED, lines(2), end=end), told(END)]
    found = await items(backend.logs(LogQuery(ref=REF, tail=9)))
    assert found == [OPENED, lines(1), lines(2), END]
    assert [one.headers.get("last-event-id") for one in server.asked] == [None, "c1", "c2"]
    assert ["tail" in one.target for one in server.asked] == [True, False, False]


async def test_a_break_that_lasts_is_lost(server, backend):
    server.script = [told(OPENED, lines(1), end="reset"), *[["reset"]] * 3]
    *rest, last = await items(backend.logs(LogQuery(ref=REF)))
    assert rest == [OPENED, lines(1)]
    assert last.lost
    assert "broke" in last.why


async def test_the_one_resumer_goes_on_behind_it(server, backend):
    async def at_once(_):
        pass

    server.script = [told(OPENED, lines(1), end="reset"), *[["reset"]] * 3, told(lines(2), END)]
    found = await items(follow(backend, LogQuery(ref=REF), sleep=at_once))
    assert [item for item in found if isinstance(item, Lines)] == [lines(1), lines(2)]
    assert [item.lost for item in found if isinstance(item, Closed)] == [True, False]


async def test_a_server_that_stops_says_so(server, backend):
    server.script = [stream(log_frame(OPENED), watch_frame(Bye("the server stops")), end="hang")]
    assert await items(backend.logs(LogQuery(ref=REF))) == [OPENED, Closed("the server stops", lost=True)]


async def test_what_never_begins(server, backend):
    server.script = [["reset"]] * 4
    assert [item.lost for item in await items(backend.logs(LogQuery(ref=REF)))] == [True]
    server.script = [answer({"title": "log in", "kind": "LoginNeeded"}, "401 Unauthorized")]
    with pytest.raises(LoginNeeded):
        await items(backend.logs(LogQuery(ref=REF)))
    await server.__aexit__()
    with pytest.raises(Unreachable):
        await items(backend.logs(LogQuery(ref=REF)))

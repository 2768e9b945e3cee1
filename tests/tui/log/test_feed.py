"""When a log is opened, and what its batches say of it, without an App."""

from collections.abc import Callable

import pytest

from backend_client.errors import Forbidden, NotFound
from backend_client.models import JobState
from backend_client.protocol import Closed
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.log.support.log_host import LogHost
from tui.log.feed import LogFeed

ANT, BEE, CAT = (make_job(name) for name in ("ant", "bee", "cat"))
BACKEND = ScriptedBackend([ANT, BEE, CAT])


async def no_login(_error):
    return False


@pytest.fixture
def host() -> LogHost:
    return LogHost()


@pytest.fixture
def opened() -> list[str]:
    """The names of the jobs whose logs were opened."""
    return []


@pytest.fixture
def feed(host: LogHost, opened: list[str]) -> LogFeed:
    feed = LogFeed(host, 100, opened=lambda: opened.append(feed.job.name if feed.job else ""), login=no_login)
    return feed


def arrived(feed: LogFeed, *items: Closed) -> LogFeed.Arrived:
    return LogFeed.Arrived(feed.serial, items)


def test_the_first_log_is_opened_at_once_and_another_one_when_the_cursor_rests(feed, host, opened):
    feed.show(ANT, BACKEND)
    assert opened == ["ant"]
    feed.show(BEE, BACKEND)
    assert (opened, feed.job) == (["ant"], ANT)
    host.pass_time()
    assert (opened, feed.job) == (["ant", "bee"], BEE)


def test_a_log_that_is_passed_by_is_not_opened(feed, host, opened):
    feed.show(ANT, BACKEND)
    feed.show(BEE, BACKEND)
    feed.show(CAT, BACKEND)
    host.pass_time()
    assert opened == ["ant", "cat"]
    feed.show(BEE, BACKEND)
    feed.show(CAT, BACKEND)
    assert not host.timers


def test_no_job_and_another_context_are_shown_at_once(feed, host, opened):
    feed.show(ANT, BACKEND)
    feed.show(None, BACKEND)
    feed.show(ANT, ScriptedBackend([ANT]))
    assert opened == ["ant", "", "ant"]
    feed.show(BEE, BACKEND)
    feed.show(None, BACKEND)
    assert (opened[3:], host.timers) == ([""], [])


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (lambda: make_job("ant", JobState.SUCCEEDED), False),
        (lambda: make_job("ant", JobState.RUNNING), False),
        (lambda: make_job("ant", JobState.RUNNING, restarts=1), True),
        (lambda: make_job("ant", JobState.STARTING), True),
    ],
)
def test_an_ended_log_is_opened_again_when_its_job_is_started_again(
    feed, host, opened, change: Callable[[], object], again
):
    feed.show(ANT, BACKEND)
    feed.receive(arrived(feed, Closed("the job has ended")))
    feed.show(change(), BACKEND)
    host.pass_time()
    assert len(opened) == 1 + again
    assert feed.ended != again


def test_a_log_that_goes_on_is_not_opened_again(feed, opened):
    feed.show(ANT, BACKEND)
    feed.show(make_job("ant", restarts=1), BACKEND)
    assert (len(opened), feed.job.restarts) == (1, 1)


def test_a_break_is_a_fault_until_the_next_batch_and_an_end_is_none(feed):
    feed.show(ANT, BACKEND)
    assert not feed.receive(arrived(feed))
    assert feed.receive(arrived(feed, Closed("reset by peer", lost=True)))
    assert feed.fault == "reset by peer; trying again"
    assert feed.receive(arrived(feed))
    assert (feed.fault, feed.ended) == ("", False)
    assert feed.receive(arrived(feed, Closed("the job has ended")))
    assert (feed.fault, feed.ended) == ("", True)


@pytest.mark.parametrize(
    ("error", "fault"),
    [(NotFound("no such job"), "Its log was deleted."), (Forbidden("Not yours."), "Not yours.")],
)
def test_a_log_that_cannot_be_read_has_ended(feed, error, fault):
    feed.show(ANT, BACKEND)
    feed.fail(LogFeed.Failed(feed.serial, error))
    assert (feed.fault, feed.ended) == (fault, True)


async def test_the_worker_posts_batches_and_waits_until_each_is_taken(feed, host):
    backend = ScriptedBackend([ANT])
    backend.logs_of[ANT.ref.uid] += [b"one", b"two"]
    backend.ended_logs.add(ANT.ref.uid)
    feed.show(ANT, backend)
    host.answer = lambda message: message.taken.set()
    await host.work("log")
    assert {message.serial for message in host.messages} == {feed.serial}
    lines = [
        line for message in host.messages for item in message.items for line in getattr(item, "lines", [])
    ]
    assert lines == [b"one", b"two"]
    assert host.messages[-1].end


async def test_the_worker_posts_why_it_cannot_read(feed, host):
    backend = ScriptedBackend([ANT])
    backend.fail["logs"] = Forbidden("Not yours.")
    feed.show(ANT, backend)
    await host.work("log")
    assert [str(message.error) for message in host.messages] == ["Not yours."]

"""One question for all who ask: fresh answers, errors, and askers that give up."""

import asyncio
import gc

import pytest

from backend_client.single_flight import SingleFlight


class Asked:
    """A question that is answered when the test says so."""

    def __init__(self):
        self.times = 0
        self.answer = asyncio.get_running_loop().create_future()

    async def __call__(self):
        self.times += 1
        return await asyncio.shield(self.answer)


async def test_it_is_asked_once_and_again_when_it_is_old():
    now = [0.0]
    flight, asked = SingleFlight(lambda: now[0]), Asked()
    asking = [asyncio.create_task(flight.ask("q", 10, asked)) for _ in range(3)]
    await asyncio.sleep(0)
    asked.answer.set_result(7)
    assert await asyncio.gather(*asking) == [7, 7, 7]
    now[0] = 9.0
    assert await flight.ask("q", 10, asked) == 7
    assert asked.times == 1
    now[0] = 10.0
    assert await flight.ask("q", 10, asked) == 7
    assert asked.times == 2


async def test_an_error_is_told_to_all_and_asked_about_again():
    flight, asked = SingleFlight(), Asked()
    asked.answer.set_exception(ValueError("no"))
    for times in (1, 2):
        with pytest.raises(ValueError, match="no"):
            await flight.ask("q", 10, asked)
        assert asked.times == times


async def test_an_error_that_nobody_waits_for_any_more_is_not_reported():
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    flight, asked = SingleFlight(), Asked()
    task = asyncio.create_task(flight.ask("q", 10, asked))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    asked.answer.set_exception(ValueError("no"))
    await asyncio.wait([one.answer for one in flight._asked.values()])
    flight._asked.clear()
    del asked, task
    gc.collect()
    assert reports == []

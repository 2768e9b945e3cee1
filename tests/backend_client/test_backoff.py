"""The pauses between tries: they grow, have an end, begin again, and differ from client to client."""

import asyncio
import math

from backend_client.backoff import Backoff, no_jitter
from tests.backend_client.kubernetes.support.clock import run


def pauses(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next() for _ in range(count)]


def test_the_ceiling_doubles_up_to_the_longest() -> None:
    async def main() -> None:
        assert pauses(Backoff(jitter=no_jitter), 7) == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
        assert pauses(Backoff(first=1.0, longest=3.0, jitter=no_jitter), 3) == [1.0, 2.0, 3.0]

    run(main())


def test_a_pause_is_a_part_of_its_ceiling() -> None:
    async def main() -> None:
        assert pauses(Backoff(first=1.0, jitter=lambda: 0.25), 2) == [0.25, 0.5]
        assert all(0.0 <= pause <= 30.0 for pause in pauses(Backoff(), 100))

    run(main())


def test_what_held_for_long_begins_again() -> None:
    async def main() -> None:
        backoff, patient = Backoff(healthy=5.0, jitter=no_jitter), Backoff(healthy=math.inf, jitter=no_jitter)
        assert [pauses(b, 2) for b in (backoff, patient)] == [[0.8, 1.6]] * 2
        await asyncio.sleep(6.0)
        assert (backoff.next(), patient.next()) == (0.8, 3.2)
        patient.reset()
        assert patient.next() == 0.8

    run(main())

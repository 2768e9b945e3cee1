"""Opens the list of `benchmarks.server_pages`, as one person after the other; prints the seconds of each.

A process of its own: the hundreds of browsers beside it, in one other, take their time too.
"""

import asyncio
import itertools
import json
import sys

from benchmarks.server_clients import asker, get

PAGES = 5.0
"""First pages a second."""


async def main(port: int, seconds: float, tokens: list[str]) -> list[float]:
    """Return the seconds of each page, from its request to its last byte."""
    loop, times, client = asyncio.get_running_loop(), list[float](), await asker(port)
    began = due = loop.time()
    for token in itertools.cycle(tokens):
        await asyncio.sleep(due - loop.time())
        if loop.time() > began + seconds:
            break
        asked, due = loop.time(), due + 1 / PAGES
        await client.ask(get("/jobs", token))
        times.append(loop.time() - asked)
    return times


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.stdin.read().split()))))

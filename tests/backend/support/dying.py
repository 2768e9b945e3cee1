"""Servers that die at a step: `Steps` counts, `answer_in_forks` lives one life for each line of stdin.

Odd steps end before what they are about, even ones when it is done and its answer is lost. Step 0 never dies.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

KILLED = 9


class Steps:
    """Counts, once `armed`, and dies."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.armed = False

    def count(self) -> None:
        if self.armed:
            self.left -= 1
            if self.left == 0:
                os._exit(KILLED)

    def around(self, owner, name: str, matters=lambda *args: True) -> None:
        work = getattr(owner, name)

        async def counted(*args, **kwargs):
            if not matters(*args):
                return await work(*args, **kwargs)
            self.count()
            answer = await work(*args, **kwargs)
            self.count()
            return answer

        setattr(owner, name, counted)

    def around_call(self, owner, name: str) -> None:
        work = getattr(owner, name)

        def counted(*args, **kwargs):
            self.count()
            answer = work(*args, **kwargs)
            self.count()
            return answer

        setattr(owner, name, counted)


def answer_in_forks(serve: Callable[[dict], Awaitable[dict]], prepare: Callable[[dict], None]) -> None:
    """Print what `serve` says of each request, null where it died; `prepare` runs before the fork."""
    for line in sys.stdin:
        request = json.loads(line)
        prepare(request)
        out, into = os.pipe()
        pid = os.fork()
        if not pid:
            told = asyncio.run(serve(request))
            os.write(into, json.dumps(told).encode())
            os._exit(0)
        os.close(into)
        answer = b""
        while part := os.read(out, 65536):
            answer += part
        os.close(out)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, KILLED), code
        print(answer.decode() or "null", flush=True)

"""`logs`, and what `submit --follow` does: it follows the log, and waits."""

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from msgspec import structs

from backend_client.errors import BackendError, NotFound
from backend_client.logs.block import Notice
from backend_client.logs.follow import follow
from backend_client.logs.source_or_copy import Batch, copy_by_name, source_or_copy
from backend_client.models import JobRef
from backend_client.protocol import (
    Gap,
    JobBackend,
    Lines,
    LogQuery,
    Opened,
)
from backend_client.text.attempts import has_ranks
from backend_client.text.empty_reason import empty_reason
from tui.cli.arguments import Parser, seconds, whole_number
from tui.cli.exit_codes import UNKNOWN
from tui.cli.handlers import BackendHandler
from tui.cli.log_text import PipeWriter, TerminalWriter
from tui.cli.lookup import find_job
from tui.cli.output import print_error, print_message
from tui.cli.streams import stdout
from tui.cli.wait import exit_code, wait_until


def add_logs_flags(parser: Parser) -> None:
    """Add the flags of `logs`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    parser.add_argument("--tail", type=whole_number, metavar="N", help="only the last N lines of each rank")
    parser.add_argument("--since", type=seconds, metavar="TIME", help="only lines of the last TIME: 5m")
    parser.add_argument(
        "--attempt", type=whole_number, metavar="N", help="this attempt (default: the newest)"
    )
    parser.add_argument("--rank", type=whole_number, metavar="N", help="only this rank or replica, from 0")
    parser.add_argument("--timestamps", action="store_true", help="when each line was written, in UTC")


async def logs(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print a log: into a pipe byte for byte, on a terminal cleaned."""
    query = LogQuery(
        ref=JobRef(backend.context, args.scope, "", args.name, ""),
        follow=args.follow,
        tail=args.tail,
        since=datetime.now(UTC) - timedelta(seconds=args.since) if args.since else None,
        attempt=args.attempt,
        rank=args.rank,
    )
    try:
        job = await find_job(backend, args.name, args.scope)
    except NotFound:
        copy = await copy_by_name(backend, args.scope, args.name, query)
        if not copy:
            raise
        ranks = {item.source.rank for item in copy if isinstance(item, Lines)}
        await _print_log(_once(copy), timestamps=args.timestamps, several=len(ranks) > 1)
        return 0
    query = structs.replace(query, ref=job.ref)
    several = args.rank is None and has_ranks(job)
    batches = source_or_copy(follow(backend, query), backend, query, job)
    if not await _print_log(batches, timestamps=args.timestamps, several=several):
        print_message(f"{job.name}: {empty_reason(job, backend)}")
    return 0


async def _once(batch: Batch) -> AsyncGenerator[Batch]:
    yield batch


async def follow_until_end(backend: JobBackend, ref: JobRef) -> int:
    """Print the log as it comes; return the job's own exit code, or 125 if it is unknown."""
    try:
        job = await backend.get(ref)
        await _print_log(follow(backend, LogQuery(ref=ref, follow=True)), several=has_ranks(job))
        return exit_code(await wait_until(backend, ref, lambda job: job.ended))
    except BackendError as error:
        print_error(error)
        return UNKNOWN
    except asyncio.CancelledError:  # ctrl+c
        print_message(f"{ref.name} goes on; `traindeck logs -f {ref.name}` follows it again.")
        raise


async def _print_log(log: AsyncGenerator[Batch], *, timestamps: bool = False, several: bool = False) -> bool:
    """Print a log. Return True if there was anything to print."""
    writer = (TerminalWriter if stdout.isatty() else PipeWriter)(timestamps, several)
    attempt, printed = 0, False
    async with aclosing(log) as batches:
        async for batch in batches:
            for item in batch:
                if isinstance(item, Lines):
                    printed = printed or bool(item.lines)
                    writer.write(item)
                elif isinstance(item, Gap):
                    print_message(f"-- lines are missing here: {item.why}")
                elif isinstance(item, Notice):
                    print_message(f"-- {item.text}")
                elif isinstance(item, Opened):
                    if attempt not in (0, item.source.attempt):
                        print_message(f"-- attempt {item.source.attempt}")
                    attempt = item.source.attempt
            stdout.flush()
    writer.end()
    return printed


LOGS = BackendHandler(logs, add_logs_flags)

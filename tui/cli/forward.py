"""`forward`: carries connections from this machine to ports of a running job, until it is ended."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from backend_client.errors import Invalid, Refused, sentence
from backend_client.exec_session import HasPorts
from backend_client.models import Job
from backend_client.ports.forward import Forward
from backend_client.ports.found import FoundPort, named_port
from backend_client.ports.read import ports_of
from backend_client.protocol import Feature, JobBackend
from backend_client.ssh import over_ssh
from backend_client.text.ports import NOT_PRIVATE, port_text, ssh_text, url_text
from tui.cli.arguments import Parser, whole_number
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import print_as, print_message
from tui.cli.wait import wait_until


class _Wish(Struct, frozen=True):
    """A port of the job, and the one that is wished for on this machine."""

    port: int
    local: int


def _wish(text: str) -> _Wish:
    """Parse [LOCAL:]PORT; an argparse type."""
    local, colon, port = text.rpartition(":")
    numbers = [port, local] if colon else [port, port]
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 65536 for word in numbers):
        raise argparse.ArgumentTypeError(f"{text} is no port; write 8888, or 9999:8888 for another one here")
    return _Wish(int(numbers[0]), int(numbers[1]))


def add_forward_flags(parser: Parser) -> None:
    """Add the flags of `forward`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument(
        "ports",
        metavar="[LOCAL:]PORT",
        nargs="*",
        type=_wish,
        help="port in the job, and the one here (default: those that its log or its spec tells of)",
    )
    parser.add_argument("--rank", type=whole_number, default=0, metavar="N", help="this rank (default: 0)")
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="listen on a unix socket that only you can reach"
    )
    parser.add_argument(
        "--show-token", action="store_true", help="show URLs with the token that the log has of them"
    )


async def forward(args: argparse.Namespace, backend: JobBackend) -> int:
    """Forward ports until it is ended."""
    job = await find_job(backend, args.name, args.scope)
    if Feature.PORTS not in backend.features or not isinstance(backend, HasPorts):
        why = backend.missing_features.get(Feature.PORTS, "this context passes no connections on")
        raise Refused(f"The ports of {job.name} cannot be reached.", sentence(why))
    if job.ended:
        raise Refused(f"The job {job.name} has ended: {job.state.value}.")
    wishes, known = await _wishes(args, backend, job)
    if args.socket and len(wishes) != 1:
        raise Invalid({"--socket": "is for one port; name which"})
    async with AsyncExitStack() as stack:
        made = []
        for wish in wishes:
            one = Forward(backend, job.ref, wish.port, rank=args.rank, say=print_message)
            stack.push_async_callback(one.aclose)
            await (one.listen_at(args.socket) if args.socket else one.listen(wish.local))
            made.append((one, wish))
        _say(args, job, made, known)
        await _tell_states(backend, job)
    return 0


async def _wishes(
    args: argparse.Namespace, backend: JobBackend, job: Job
) -> tuple[list[_Wish], dict[int, FoundPort]]:
    """Return which ports to forward, and what is known of them. Raises Refused where none is known."""
    known = {}
    if not args.ports or args.show_token:
        known = {port.number: port for port in await ports_of(backend, job, args.rank)}
    wishes = args.ports or [_Wish(number, number) for number in known]
    if not wishes:
        raise Refused(
            f"Nothing tells which port {job.name} listens on: neither its log nor its spec.",
            f"Name one: traindeck forward {job.name} 6006",
        )
    return wishes, known


def _say(
    args: argparse.Namespace, job: Job, made: list[tuple[Forward, _Wish]], known: dict[int, FoundPort]
) -> None:
    """Say where each port is to be found now."""
    found = [(one, wish, known.get(wish.port) or named_port(wish.port)) for one, wish in made]
    if not print_as(args.output, lambda: [_fields(job, one, port) for one, _, port in found]):
        for one, wish, port in found:
            _say_one(one, wish, port, with_token=args.show_token)
    if not args.socket:
        print_message(NOT_PRIVATE)
    print_message("Ctrl-C ends it; the job goes on.")


def _fields(job: Job, one: Forward, port: FoundPort) -> dict[str, object]:
    return {
        "job": job.name,
        "rank": one.rank,
        "port": one.port,
        "local_port": one.local_port,
        "socket": str(one.socket_path or ""),
        "name": port.name,
        "url": url_text(one, port),
    }


def _say_one(one: Forward, wish: _Wish, port: FoundPort, *, with_token: bool) -> None:
    where = one.socket_path or f"127.0.0.1:{one.local_port}"
    taken = f" ({wish.local} is taken)" if one.local_port not in (0, wish.local) else ""
    print_message(f"port {port_text(port)} of {one.ref.name} is at {where}{taken}")
    if url := url_text(one, port, with_token=with_token):
        print_message(f"  open  {url}")
        if port.secret and not with_token:
            print_message("  its log has a URL with more, maybe a token: --show-token shows it")
    if over_ssh() or one.socket_path:
        print_message(f"  on your own machine  {ssh_text(one)}")
        if one.socket_path:
            print_message(f"  then open there  http://localhost:{one.port}/")


async def _tell_states(backend: JobBackend, job: Job) -> None:
    """Say in a line each time that the job's state changes; wait for the end of the program."""
    states = [job.state]

    def changed(now: Job) -> bool:
        if now.state is not states[-1]:
            states.append(now.state)
            print_message(f"{job.name}: {now.state.value}" + (f", {now.reason}" if now.reason else ""))
        return False

    await wait_until(backend, job.ref, changed)
    print_message(f"{job.name} is gone.")
    await asyncio.Event().wait()


FORWARD = BackendHandler(forward, add_forward_flags)

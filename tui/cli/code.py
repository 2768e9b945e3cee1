"""`code`: the code that a job was made with, given back; and what of a folder would go with a job."""

import argparse
import asyncio
from pathlib import Path

from backend_client.code.folder import folder_of, list_folder
from backend_client.code.pack import left_out_words
from backend_client.code.unpack import unpack
from backend_client.code_bundle import HasCode
from backend_client.errors import Invalid, Refused
from backend_client.models import JobSpec
from backend_client.models.code import is_packed
from backend_client.protocol import Feature, JobBackend
from backend_client.text.code import code_text
from backend_client.text.figures import bytes_text
from backend_client.text.sanitize import clean
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import print_data, print_message


def add_code_flags(parser: Parser) -> None:
    """Add the words of `code`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument("folder", metavar="DIR", help="where to; it must be new or empty")


async def code(args: argparse.Namespace, backend: JobBackend) -> int:
    """Write the code that a job was made with into a folder."""
    if Feature.CODE not in backend.features or not isinstance(backend, HasCode):
        raise Refused("There is no code to give back here.", backend.missing_features.get(Feature.CODE, ""))
    job = await find_job(backend, args.name, args.scope)
    data = await backend.code_of(job.ref)
    folder = Path(args.folder).expanduser()  # noqa: ASYNC240  reads the environment only
    await asyncio.to_thread(unpack, data, folder)
    about = f": {code_text(job.code)}" if job.code else ""
    print_message(f"{clean(folder)} has the code of {job.name}{clean(about, 300)}")
    return 0


def print_code_list(spec: JobSpec) -> int:
    """Print the files of a spec's folder that go along, with their sizes, and what is left out, and why."""
    if not spec.code or is_packed(spec.code):
        raise Invalid({"code": "name a folder: --code ."})
    listing = list_folder(folder_of(spec.code))
    for entry in listing.entries:
        link = f" -> {clean(entry.target)}" if entry.target else ""
        print_data(f"{bytes_text(entry.size):>6}  {clean(entry.path)}{link}")
    for one in listing.left_out:
        print_message(f"left out: {left_out_words(one)}")
    for path in listing.secrets:
        print_message(f"looks like a login or a key: {clean(path)}")
    return 0


CODE = BackendHandler(code, add_code_flags)

"""`files`: what a job has written to its outputs."""

import argparse

from msgspec import to_builtins

from backend_client.errors import Refused, sentence
from backend_client.output_files import HasFiles
from backend_client.protocol import Feature, JobBackend
from backend_client.text.outputs import TITLES, file_rows, outputs_text
from backend_client.text.sanitize import clean
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import Table, print_as, print_data, print_message


def add_files_flags(parser: Parser) -> None:
    """Add the words of `files`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument(
        "path", nargs="?", default="", metavar="PATH", help="a folder or file of its outputs (default: all)"
    )


async def files(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print the files of one folder of a job's outputs."""
    if Feature.FILES not in backend.features or not isinstance(backend, HasFiles):
        why = backend.missing_features.get(Feature.FILES, "")
        raise Refused("The files of jobs are not listed here.", sentence(why))
    job = await find_job(backend, args.name, args.scope)
    found = await backend.output_files(job.ref, args.path)
    if print_as(args.output, lambda: to_builtins(found)):
        return 0
    rows = file_rows(found)
    if args.output == "name":
        for name, *_ in rows:
            print_data(clean(name))
        return 0
    where = outputs_text(job.outputs) if job.outputs and not args.path else found.folder
    if rows:
        print_message(where)
        Table([title.upper() for title in TITLES], rows).print()
    else:
        print_message(f"There is nothing in {where} yet.")
    return 0


FILES = BackendHandler(files, add_files_flags)

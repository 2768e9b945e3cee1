"""`submit`: a spec from template, file and flags, the plan, the question, the job."""

import argparse
import os
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from backend_client.code.prepare import code_from, with_code
from backend_client.errors import Invalid, Refused
from backend_client.models import Job, JobSpec
from backend_client.models.fields import DEFAULTS, FIELD_NAMES, parse_spec
from backend_client.models.shell_words import command_notes, in_shell
from backend_client.protocol import JobBackend
from tui.cli.arguments import NameAction, Parser, one_of
from tui.cli.handlers import BackendHandler
from tui.cli.output import job_fields, print_as, print_block, print_data, print_message
from tui.cli.planned import check_plan, print_warnings, read_secrets
from tui.cli.prompt import confirm
from tui.cli.spec_file import read_spec_file
from tui.cli.sweep import add_sweep_flags, join_sweep, submit_sweep, sweep_request
from tui.form.templates import find_template, merge

_REPEATED_FLAGS = {
    "env": ("--env", "K=V"),
    "secrets": ("--secret", "NAME"),
    "ports": ("--port", "[NAME=]PORT[:TARGET]"),
    "node_selector": ("--node-selector", "K=V"),
    "node_names": ("--node", "NAME"),
    "tolerations": ("--toleration", "K[=V][:EFFECT]"),
    "labels": ("--label", "K=V"),
    "annotations": ("--annotation", "K=V"),
    "alerts": ("--alert", "RULE=WHEN"),
    "volumes": ("--volume", "SOURCE[:/PATH[:ro]]"),
    "image_pull_secrets": ("--image-pull-secret", "NAME"),
}
"""Fields of many values: one flag, given again for each."""
_NO_FLAG = ("command", "namespace", "pod")
"""Fields that no flag of a job's own sets; a patch of the pod is for files."""


def add_submit_flags(parser: Parser) -> None:
    """Add a flag for every field of a spec, and those of the verb itself."""
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        action=NameAction,
        help="spec file, YAML or JSON; - is stdin; flags win",
    )
    parser.add_argument(
        "--template",
        default="",
        metavar="NAME",
        action=NameAction,
        help="[templates.NAME] of the settings; FILE and flags win",
    )
    add_create_flags(parser)
    parser.add_argument(
        "--code-list", action="store_true", help="only print which files of --code go along, and which not"
    )
    add_sweep_flags(parser)
    add_field_flags(parser)
    parser.extra_word_hint = "; the command stands behind --"
    parser.epilog = (
        "The words behind -- are the command, as they stand. Mappings of template, FILE and flags are\n"
        "joined, all else is replaced. The value of a secret is read from your environment, and written\n"
        "nowhere."
    )


def add_field_flags(parser: Parser) -> None:
    """Add a flag for every field of a spec."""
    fields = parser.add_argument_group("the job")
    for name, description in _descriptions().items():
        if name in _REPEATED_FLAGS:
            flag, metavar = _REPEATED_FLAGS[name]
            help_text = f"{description} (may be given again)"
            fields.add_argument(flag, dest=name, action="append", metavar=metavar, help=help_text)
        elif name not in _NO_FLAG:
            flag = f"--{name.replace('_', '-')}"
            metavar = "N" if isinstance(getattr(DEFAULTS, name), int) else name.rpartition("_")[2].upper()
            fields.add_argument(flag, dest=name, metavar=metavar, help=description, type=_argument_type(name))


def flag_words(name: str, text: str) -> list[str]:
    """Return the words of a command line that set a field to a text; none where no flag sets it."""
    if name not in FIELD_NAMES or name in _NO_FLAG:
        return []
    if name in _REPEATED_FLAGS:
        flag = _REPEATED_FLAGS[name][0]
        return [word for value in shlex.split(text) or [""] for word in (flag, value)]
    flag = f"--{name.replace('_', '-')}"
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _argument_type(name: str) -> Callable[[str], str]:
    """Return the argparse type of a field: one of its words. Other fields are parsed together, as a spec."""
    kind = _field_types()[name].__origin__
    return one_of(*get_args(kind)) if get_origin(kind) is Literal else str


def add_create_flags(parser: Parser) -> None:
    """Add the flags of every verb that makes a job."""
    parser.add_argument("--dry-run", action="store_true", help="only print the exact objects, as YAML")
    parser.add_argument(
        "--follow", action="store_true", help="print the log, and end with the job's exit code"
    )


def _descriptions() -> dict[str, str]:
    return {name: _field_types()[name].__metadata__[0].description.replace("%", "%%") for name in FIELD_NAMES}


def _field_types() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(JobSpec)}


async def submit(args: argparse.Namespace, backend: JobBackend) -> int:
    """Submit a job: a spec from template, file and flags."""
    raw = _merge_sources(args)
    request = sweep_request(args, raw)
    spec = parse_spec({name: value for name, value in raw.items() if name != "name" or not request})
    if not (spec.command or spec.image):
        raise Invalid(
            {"command": "say what to run"}, hint="Put it behind --: traindeck submit -- python train.py"
        )
    if notes := command_notes(raw.get("command")):
        where = "behind --: " if args.command else "as command: "
        print_message(f"command: {'; '.join(notes)}.")
        print_message(f"To have a shell run it, write {where}{in_shell(raw['command'])}")
    if args.code_list:
        from tui.cli.code import print_code_list  # noqa: PLC0415  few look

        return print_code_list(spec)
    return await (submit_sweep(args, backend, raw, request) if request else submit_spec(args, backend, spec))


async def submit_spec(
    args: argparse.Namespace,
    backend: JobBackend,
    spec: JobSpec,
    before_create: Callable[[], Awaitable[object]] | None = None,
) -> int:
    """Plan a job, ask, create it, and print it or follow it; `before_create`: as `create_job` has it."""
    job = await create_job(args, backend, spec, before_create)
    if job is None:
        return 0
    if args.follow:
        from tui.cli.logs import follow_until_end  # noqa: PLC0415  few follow what they submit

        return await follow_until_end(backend, job.ref)
    if not print_as(args.output, lambda: job_fields(job)):
        print_data(job.name)
    return 0


async def create_job(
    args: argparse.Namespace,
    backend: JobBackend,
    spec: JobSpec,
    before_create: Callable[[], Awaitable[object]] | None = None,
) -> Job | None:
    """Plan a job, ask, and create it; None for a dry run.

    `before_create` runs when nothing speaks against it any more. Its folder of code is packed once: what was
    planned is what goes.
    """
    spec = await with_code(backend, spec)
    plan = await backend.plan(spec)
    print_warnings(plan)
    if args.dry_run:
        print_block(plan.yaml)
    await check_plan(backend, spec, plan)
    if args.dry_run:
        return None
    secrets = read_secrets(spec)
    if plan.advice and args.output not in ("json", "name"):
        print_message(plan.advice)
    if not confirm(plan.question):
        raise Refused("Nothing was submitted.")
    if before_create:
        await before_create()
    job = await backend.create(spec, key=os.urandom(16).hex(), secrets=secrets)
    print_message(f"{job.name} is submitted to {plan.place or job.ref.context}.")
    return job


def field_flags(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields that flags name; an empty text (--queue "") leaves a field to its default."""
    given = {name: getattr(args, name, None) for name in FIELD_NAMES}
    return {name: value for name, value in given.items() if value or (value == "" and name not in _NO_FLAG)}


def _merge_sources(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the template, overridden by those of the file, overridden by the flags."""
    flags = field_flags(args)
    raw = find_template(args.settings.templates, args.template) if args.template else {}
    for layer in (_read_file(args.file) if args.file else {}, flags):
        for name, value in layer.items():
            raw[name] = (
                join_sweep(raw.get(name), value)
                if name == "sweep"
                else join_field(name, raw.get(name), value)
            )
    return raw


def _read_file(name: str) -> dict[str, Any]:
    """Return the fields of a spec file; its folder of code is relative to where the file is."""
    raw = read_spec_file(name)
    if isinstance(raw.get("code"), str) and name != "-":
        raw["code"] = code_from(raw["code"], Path(name).absolute().parent)
    return raw


def join_field(name: str, below: Any, above: Any) -> Any:
    """Return a field with what stands above it: mappings are joined. Raises Invalid."""
    try:
        return merge(name, below, above)
    except ValueError as error:
        raise Invalid({name: str(error)}) from None


SUBMIT = BackendHandler(submit, add_submit_flags)

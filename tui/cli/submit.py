"""`submit`: a spec out of a file and flags, the plan, the question, the job."""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from backend_client.errors import Invalid, NotFound, Refused
from backend_client.models import JobSpec
from backend_client.models.fields import DEFAULTS, FIELD_NAMES, parse_spec
from backend_client.models.secret import Secret
from backend_client.protocol import JobBackend, Plan
from tui.cli.commands import Parser, one_of
from tui.cli.output import job_fields, put, put_as, put_block, say
from tui.cli.prompt import agreed
from tui.form.templates import find_template, merge
from tui.ui.sanitize import clean

LARGEST_FILE = 2**20
"""Bytes of a spec file that are read."""

_LISTS = {
    "env": ("--env", "K=V"),
    "secrets": ("--secret", "NAME"),
    "ports": ("--port", "[NAME=]PORT[:TARGET]"),
    "labels": ("--label", "K=V"),
    "annotations": ("--annotation", "K=V"),
    "volumes": ("--volume", "SOURCE:/PATH[:ro]"),
    "image_pull_secrets": ("--image-pull-secret", "NAME"),
}
"""Fields of many values: one flag, given again for each."""


def submit_flags(parser: Parser) -> None:
    """A flag for every field of a spec, and those of the verb itself."""
    parser.add_argument("-f", "--file", metavar="FILE", help="spec file, YAML or JSON; - is stdin; flags win")
    parser.add_argument(
        "--template",
        default="",
        metavar="NAME",
        help="[templates.NAME] of the settings; FILE and flags win",
    )
    make_flags(parser)
    fields = parser.add_argument_group("the job")
    for name, about in _descriptions().items():
        if name in _LISTS:
            flag, metavar = _LISTS[name]
            words = f"{about} (may be given again)"
            fields.add_argument(flag, dest=name, action="append", metavar=metavar, help=words)
        elif name not in ("command", "namespace"):
            flag = f"--{name.replace('_', '-')}"
            metavar = "N" if isinstance(getattr(DEFAULTS, name), int) else name.rpartition("_")[2].upper()
            fields.add_argument(flag, dest=name, metavar=metavar, help=about, type=_type(name))
    parser.stray = "; the command stands behind --"
    parser.epilog = (
        "The words behind -- are the command, as they stand. Mappings of template, FILE and flags are\n"
        "joined, all else is replaced. The value of a secret is read from your environment, and written\n"
        "nowhere."
    )


def _type(name: str) -> Callable[[str], str]:
    """Fields that are one of a few words say so themselves; the others are looked at together, as a spec."""
    kind = _hints()[name].__origin__
    return one_of(*get_args(kind)) if get_origin(kind) is Literal else str


def make_flags(parser: Parser) -> None:
    """What every verb takes that makes a job."""
    parser.add_argument("--dry-run", action="store_true", help="only print the exact objects, as YAML")
    parser.add_argument(
        "--follow", action="store_true", help="print the log, and end with the job's exit code"
    )


def _descriptions() -> dict[str, str]:
    return {name: _hints()[name].__metadata__[0].description.replace("%", "%%") for name in FIELD_NAMES}


def _hints() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(JobSpec)}


async def submit(args: argparse.Namespace, backend: JobBackend) -> int:
    """Make a job."""
    spec = parse_spec(_written(args))
    if not (spec.command or spec.image):
        raise Invalid(
            {"command": "say what to run"}, hint="Put it behind --: traindeck submit -- python train.py"
        )
    return await make(args, backend, spec)


async def make(
    args: argparse.Namespace,
    backend: JobBackend,
    spec: JobSpec,
    first: Callable[[], Awaitable[object]] | None = None,
) -> int:
    """Plan it, ask, and create it; `first` is done when nothing speaks against it any more."""
    plan = await backend.plan(spec)
    for notice in plan.warnings:
        say(f"{notice.field}: {notice.message}" if notice.field else notice.message)
    if args.dry_run:
        put_block(plan.yaml)
    if plan.errors:
        raise Refused(_errors(plan), fields={notice.field: notice.message for notice in plan.errors})
    if args.dry_run:
        return 0
    secrets = _secrets(spec)
    if plan.advice and args.output not in ("json", "name"):
        say(plan.advice)
    if not agreed(plan.question):
        raise Refused("Nothing was submitted.")
    if first:
        await first()
    job = await backend.create(spec, key=os.urandom(16).hex(), secrets=secrets)
    say(f"{job.name} is submitted to {plan.place or job.ref.context}.")
    if args.follow:
        from tui.cli.logs import follow_to_the_end  # noqa: PLC0415

        return await follow_to_the_end(backend, job.ref)
    if not put_as(args.output, lambda: job_fields(job)):
        put(job.name)
    return 0


def _errors(plan: Plan) -> str:
    return "; ".join(f"{notice.field}: {notice.message}".removeprefix(": ") for notice in plan.errors)


def _written(args: argparse.Namespace) -> dict[str, Any]:
    """What the template says, overridden by what the file says, overridden by what the flags say."""
    flags = {name: value for name in FIELD_NAMES if (value := getattr(args, name, None))}
    raw = find_template(args.settings.templates, args.template) if args.template else {}
    for said in (_read(args.file) if args.file else {}, flags):
        for name, value in said.items():
            raw[name] = _joined(name, raw.get(name), value)
    return raw


def _joined(name: str, below: Any, above: Any) -> Any:
    try:
        return merge(name, below, above)
    except ValueError as error:
        raise Invalid({name: str(error)}) from None


def _read(name: str) -> dict[str, Any]:
    """The mapping in a spec file. Raises NotFound, Refused or Invalid in words."""
    import yaml  # noqa: PLC0415  slow to import, and seldom needed

    shown = "stdin" if name == "-" else clean(name)
    try:
        raw = yaml.safe_load(_content(name).decode())
    except FileNotFoundError:
        raise NotFound(f"There is no file {shown}.") from None
    except OSError as error:
        raise Refused(f"{shown} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Invalid({"file": f"{shown} is not UTF-8 text"}) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid({"file": f"{shown} is no YAML: {' '.join(str(error).split())}"}) from None
    if not isinstance(raw, dict):
        raise Invalid({"file": f"{shown} is no mapping of a job's fields"})
    return {str(key): value for key, value in raw.items()}


def _content(name: str) -> bytes:
    if name == "-":
        content = sys.stdin.buffer.read(LARGEST_FILE + 1)
    else:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise Invalid({"file": "it is larger than 1 MiB, which no spec file is"})
    return content


def _secrets(spec: JobSpec) -> dict[str, Secret]:
    missing = [name for name in spec.secrets if name not in os.environ]
    if missing:
        words = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set in your environment"
        raise Invalid({"secrets": words})
    return {name: Secret(os.environ[name]) for name in spec.secrets}

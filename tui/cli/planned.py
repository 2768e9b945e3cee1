"""What stands between a plan and the create: what speaks against it, and the values of secrets."""

import contextlib
import os

from backend_client.errors import BackendError, Forbidden, Invalid, Refused
from backend_client.models import JobSpec
from backend_client.models.secret import Secret
from backend_client.protocol import AccessReview, JobBackend, Plan, Verb
from tui.cli.output import print_message


def print_warnings(plan: Plan) -> None:
    """Print what a plan warns of."""
    for notice in plan.warnings:
        print_message(f"{notice.field}: {notice.message}" if notice.field else notice.message)


async def check_plan(backend: JobBackend, spec: JobSpec, plan: Plan) -> None:
    """Raise Refused or Forbidden, by field, where something speaks against a plan."""
    if plan.errors:
        fields = {notice.field: notice.message for notice in plan.errors}
        kind = Refused if await _may_create(backend, spec) else Forbidden
        raise kind(_error_text(plan), fields=fields)


async def _may_create(backend: JobBackend, spec: JobSpec) -> bool:
    """Return False where the caller lacks the right; whoever does not know it has it."""
    with contextlib.suppress(BackendError):
        review = AccessReview(Verb.CREATE, namespace=spec.namespace or backend.namespace)
        return (await backend.check_access([review]))[0].allowed is not False
    return True


def _error_text(plan: Plan) -> str:
    return "; ".join(f"{notice.field}: {notice.message}".removeprefix(": ") for notice in plan.errors)


def read_secrets(spec: JobSpec) -> dict[str, Secret]:
    """Read the values of a job's secrets from the environment. Raises Invalid."""
    missing = [name for name in spec.secrets if name not in os.environ]
    if missing:
        message = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set in your environment"
        raise Invalid({"secrets": message})
    return {name: Secret(os.environ[name]) for name in spec.secrets}

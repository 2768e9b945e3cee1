"""Submit a job as a person does: its plan, what speaks against it, what it asks, then the create."""

from backend.jobs.create import CreateRequest, create, find_earlier, plan
from backend.jobs.service import JobService
from backend_client.models import Job
from backend_client.protocol import Plan
from backend_client.text.form_fields import check_plan


async def submit(service: JobService, request: CreateRequest, *, sure: bool) -> Job | Plan:
    """Create a job; return its plan instead where that asks something, and the person is not `sure` yet.

    Values of secrets are asked for too. A request that was sent twice makes one job, whatever a plan says
    the second time: that job is in its own way. Raises a BackendError, by field.
    """
    if not await _is_repeated(service, request):
        planned = await plan(service, request.caller, request.spec)
        if planned.errors and not await _is_repeated(service, request):
            check_plan(planned)
        if lacking_secrets(request) or (planned.question and not sure):
            return planned
    return await create(service, request)


def lacking_secrets(request: CreateRequest) -> list[str]:
    """Return the names of the secrets that have no value."""
    return [name for name in request.spec.secrets if name not in request.secrets]


async def _is_repeated(service: JobService, request: CreateRequest) -> bool:
    async with service.database.read() as session:
        return await find_earlier(session, service, request) is not None

"""The submit of a form, from f2 to a job: the last plan, the questions, the create."""

import asyncio
import os
import secrets as tokens
from collections.abc import Iterable

from textual.app import App

from backend_client.code.prepare import with_code
from backend_client.errors import Unreachable
from backend_client.models import Job, JobSpec
from backend_client.models.secret import Secret
from backend_client.protocol import JobBackend
from backend_client.text.form_fields import check_plan
from tui.form import recent_values
from tui.ui.confirm import ConfirmScreen
from tui.ui.prompt import AskSecret


class Submission:
    """Keeps between two tries what makes the second one safe: the idempotency key, and the secrets."""

    def __init__(self, backend: JobBackend) -> None:
        self._backend = backend
        self._spec: JobSpec | None = None
        self._key = ""
        self._secrets: dict[str, Secret] = {}

    async def submit(self, app: App[object], spec: JobSpec) -> Job | None:
        """Create the job; None where a person said no to a question. Needs a worker. Raises BackendError.

        The same spec after an Unreachable goes with the same key, and so cannot become two jobs; with a
        folder of code that has changed since it is another.
        """
        asked, spec = spec, await with_code(self._backend, spec)
        if spec != self._spec:
            self._spec, self._key, self._secrets = spec, tokens.token_hex(16), {}
        plan = await self._backend.plan(spec)
        check_plan(plan)
        if not await self._ask_secrets(app, spec.secrets):
            return None
        question = ConfirmScreen(plan.question, plan.advice, yes="Run")
        if plan.question and not await app.push_screen_wait(question):
            return None
        job = await self._create(spec)
        await asyncio.to_thread(recent_values.remember, asked)
        return job

    async def _ask_secrets(self, app: App[object], names: Iterable[str]) -> bool:
        """Ask for the secrets that the environment lacks, each once; False where a person gave up."""
        for name in names:
            if name in os.environ:
                self._secrets[name] = Secret(os.environ[name])
            elif name not in self._secrets:
                detail = "It is not in your environment. It is not shown, and not kept."
                value = await app.push_screen_wait(AskSecret(f"Value of {name}", detail))
                if value is None:
                    return False
                self._secrets[name] = value
        return True

    async def _create(self, spec: JobSpec) -> Job:
        try:
            return await self._backend.create(spec, key=self._key, secrets=self._secrets)
        except Unreachable:
            raise
        except Exception:
            self._spec = None
            raise

"""The receipt on the page of a job: asked for by the screen, drawn below what was asked."""

from textual.content import Content

from backend_client.errors import BackendError
from backend_client.models import Job
from backend_client.protocol import Feature, JobBackend
from backend_client.text.receipt import change_text, receipt_lines
from backend_client.text.receipt import heading as receipt_title
from backend_client.usage_report import HasAccounting, Receipt
from tui.jobs.detail_text import fields, heading

_ASKED_AFTER_END = 3
"""How often a final receipt is asked for: what was measured last is added up a little later."""


class ReceiptSection:
    """The receipt of one job, where its context counts what jobs cost."""

    def __init__(self, backend: JobBackend) -> None:
        """Nothing is known yet."""
        counts = Feature.ACCOUNTING in backend.features and isinstance(backend, HasAccounting)
        self._backend = backend if counts and isinstance(backend, HasAccounting) else None
        self._finals = 0
        self.receipt: Receipt | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing more comes: the job has ended, and all was added up; or nobody counts."""
        return self._backend is None or self._finals >= _ASKED_AFTER_END

    async def read(self, job: Job) -> bool:
        """Ask for the receipt; return whether it is another one.

        It only adds to the page: an error is not shown.
        """
        if self._backend is None:
            return False
        try:
            found = await self._backend.receipt(job.ref)
        except BackendError:
            return False
        self._finals += found.final
        changed, self.receipt = found != self.receipt, found
        return changed

    def lines(self, key: str, width: int) -> list[Content]:
        """Return the section; `key` opens the form with the change that the receipt advises, or is ""."""
        if self.receipt is None:
            return []
        pairs = receipt_lines(self.receipt)
        if change := change_text(self.receipt):
            pairs.append(("", change + (f"  ({key} makes a job so)" if key else "")))
        return [heading(receipt_title(self.receipt)), *fields(pairs, width)] if pairs else []

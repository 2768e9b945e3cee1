"""How one job stands, in pairs of name and value: what stands above all on its page. Pure; all is clean."""

from backend_client.models import Job
from backend_client.text.code import code_text
from backend_client.text.figures import loss_text, progress_text, short_local_time, starts_text
from backend_client.text.job_cells import node_of
from backend_client.text.outputs import outputs_text
from backend_client.text.sanitize import clean


def about_pairs(job: Job, why_key: str = "") -> list[tuple[str, str]]:
    """Return (name, value) of how a job stands; "" where there is none.

    `why_key`: the key that says more of the reason.
    """
    far = (
        "  loss ".join(filter(None, (progress_text(job.progress), loss_text(job.progress.loss))))
        if job.progress
        else ""
    )
    return [
        ("reason", clean(job.reason) + (f"  ({why_key} says more)" if job.reason and why_key else "")),
        ("starts", starts_text(job.queue.starts) if job.queue else ""),
        ("progress", far),
        ("owner", clean(job.owner)),
        ("node", node_of(job)),
        ("code", clean(code_text(job.code), 300) if job.code else ""),
        ("outputs", clean(outputs_text(job.outputs), 300) if job.outputs else ""),
        ("restarts", str(job.restarts or "")),
        ("next try", short_local_time(job.next_try)),
        *(("url", clean(url)) for url in job.urls),
        *(("in cluster", clean(address)) for address in job.internal_addresses),
        ("look only", clean(job.read_only)),
    ]

"""One job with a receipt on which every line stands, and an advice."""

from backend_client.models import JobSpec, JobState
from backend_client.usage_report import Advice, Receipt
from tests.support.scripted import make_job

GIB = 2**30
SPEC = JobSpec(name="bert-ft", gpus=2, cpu="8", command=("python", "train.py"))
ADVICE = Advice(sentence="asked for 8 CPUs, used 1.3", changes={"cpu": "3"})
JOB = make_job("bert-ft", JobState.SUCCEEDED, spec=SPEC)
RECEIPT = Receipt(
    job=JOB.ref,
    spec=SPEC,
    final=True,
    gpu_hours=12.34,
    gpu_types=("H100",),
    waited=720.0,
    preempted=3.0,
    attempts=2,
    utilisation=0.83,
    utilisation_p95=0.99,
    utilisation_min=0.71,
    idle_minutes=14.0,
    gpu_memory_share=0.76,
    cpu_asked=8.0,
    cpu_used=1.3,
    memory_asked=64 * GIB,
    memory_peak=12 * GIB,
    energy=3.2,
    coverage=1.0,
    advice=ADVICE,
)

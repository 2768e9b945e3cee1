"""A backend that says hostile things wherever it can say anything: for screens, verbs and pages."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import msgspec

from backend_client.alerts.alert import AlertWishes, Channel, ChannelKind, Delivery, DeliveryState, QuietHours
from backend_client.errors import Refused
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder
from backend_client.history import HistoryEntry, HistoryPage, HistoryQuery
from backend_client.models import Event, Job, JobRef, JobSpec, JobState
from backend_client.models.outputs import Outputs
from backend_client.output_files import FileKind, FileList, OutputFile
from backend_client.protocol import Capacity, DeleteStep, Diagnostic, Feature
from backend_client.queues import (
    ClusterQueueInfo,
    FlavorQuota,
    FlavorUse,
    LocalQueueInfo,
    QueueBoard,
    WaitingJob,
)
from backend_client.usage import Measure, Usage, UsageHistory, UsageSeries, UsageSource
from backend_client.usage_report import Advice, Receipt, ReportQuery, ReportRow, UsageReport
from backend_client.why import Cause, Explanation, Failure, Offer
from tests.support.scripted import ScriptedBackend, attempt, make_alert, make_job

TEXTS = {
    "clipboard": "a\x1b]52;c;aGVsbG8=\x07b",
    "title": "a\x1b]0;owned\x1b\\b",
    "link": "\x1b]8;;http://example.org\x1b\\click\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H\x1b[31mred",
    "c1": "a\x9b31mb\x90q\x9c",
    "nul": "a\x00b\x07\x08\x7fc",
    "lines": "a\r\nb\rc\nd\x0be\x0cf\x85g\u2028h",
    "close tag": "[/data/x] [/] [",
    "action": "[@click=app.quit]click[/]",
    "open tag": "[bold red on blue",
    "bidi": "abc\u202edef\u2066ghi\u2069",
    "zero width": "a\u200bb\ufeffc\u2060d",
    "surrogate": "a\ud800b",
    "wide": "\u6f22\u5b57" * 30,
    "long": "x" * 50_000,
}

EVERYTHING = " ".join(TEXTS.values())
MADE = datetime(2026, 11, 24, tzinfo=UTC)


def hostile_job(text: str, uid: str, state: JobState) -> Job:
    spec = JobSpec(command=("python", text), env={"A": text}, labels={text: text}, workdir=text)
    return make_job(
        text,
        state,
        uid=uid,
        spec=spec,
        reason=text,
        owner=text,
        namespace=text,
        outputs=Outputs(path=text, claim=text, sub_path=text),
        urls=(f"http://example.org/{text}",),
        attempts=(attempt(node=text, reason=text, pod=text, started=datetime.now(UTC)),),
    )


def hostile_board(text: str) -> QueueBoard:
    quota = FlavorQuota(flavor=text, resource=f"a/{text}", nominal=8, used=9, borrowed=1)
    use = FlavorUse(flavor=text, resource=f"a/{text}", used=1)
    return QueueBoard(
        cluster_queues=(
            ClusterQueueInfo(
                name=text, cluster=text, cohort=text, stopped=text, trouble=text, quotas=(quota,)
            ),
        ),
        local_queues=(LocalQueueInfo(namespace=text, name=text, cluster_queue=text, usage=(use,)),),
        waiting=(
            WaitingJob(
                cluster_queue=text, namespace=text, queue=text, name=text, uid="u", kind="Job", owner=text
            ),
        ),
        note=text,
        unknown=(text,),
    )


def hostile_explanation(text: str) -> Explanation:
    changes = {"gpus": "4", "workdir": text, text: text}
    return Explanation(
        sentence=text,
        chain=(Cause(id=text, sentence=text, object=text, raw=text),) * 2,
        offers=(Offer(id=text, sentence=text, changes=changes),),
        failure=Failure(exit=text, kind=text, rank=1, where=text, said=text, facts=(text,)),
        unknown=(text,),
    )


def hostile_history(text: str) -> UsageHistory:
    """One idle GPU and one that is not, whose names are the text."""
    series = [
        UsageSeries(measure=Measure.UTILISATION, gpu=f"{number}{text}", values=(share,) * 9)
        for number, share in enumerate((0.0, 1.0))
    ]
    sources = (UsageSource(name=text), UsageSource(name=text, missing=text))
    return UsageHistory(start=datetime.now(UTC), step=30.0, series=tuple(series), sources=sources)


class Hostile(ScriptedBackend):
    """Says all of it wherever it can say anything; the job `u` has it whole, the others a text each."""

    def __init__(self, texts: Mapping[str, str] = TEXTS) -> None:
        text = " ".join(texts.values())
        super().__init__(gpus=4)
        self.text = text
        self.missing_features = {Feature.RESUME: text}
        self.plan_errors = (Diagnostic("name", text), Diagnostic("", text))
        self.figures = Capacity(unknown_because=text)
        holders = Holder(gpus=1, uid="u", name=text, namespace=text, owner=text), Holder(gpus=1, owner=text)
        machine = {"name": text, "cluster": text, "product": text, "resource": text, "trouble": text}
        self.machines = GpuNodes(
            (GpuNode(**machine, total=8, free=0, cordoned=True, taints=(text,), holders=holders),),
            unsure_because=text,
        )
        self.question = text
        self.board = hostile_board(text)
        self.jobs = {"u": hostile_job(text, "u", JobState.FAILED)}
        self.jobs |= {name: hostile_job(one, name, JobState.QUEUED) for name, one in texts.items()}
        self.events_of["u"] = [Event(time=datetime.now(UTC), reason=text, message=text, warning=True)]
        self.logs_of["u"] = [
            text.encode("utf-8", "surrogatepass"),
            b"\xff\xfe" + text.encode("utf-8", "ignore"),
        ]
        self.explanations["u"] = hostile_explanation(text)
        self.files_of["u"] = FileList(
            folder=text, files=tuple(OutputFile(name=text, kind=kind, modified=MADE) for kind in FileKind)
        )
        self.used["u"] = Usage(sources=(UsageSource(name=text), UsageSource(name=text, missing=text)))
        self.use_histories["u"] = hostile_history(text)
        tried = Delivery(channel=text, state=DeliveryState.FAILED, tries=1, why=text)
        self.fire(
            *(
                make_alert(ref=job.ref, id=name, rule=text, sentence=text, deliveries=(tried,))
                for name, job in self.jobs.items()
            )
        )
        self.wishes = AlertWishes(
            rules={"silent": text, text: text},
            channels=(Channel(name=text, kind=ChannelKind.WEBHOOK, shown=text),),
            quiet=QuietHours(start=text, end=text, zone=text),
        )
        self.delivery = tried
        for method in ("stop", "resume", "create"):
            self.fail[method] = Refused(text, text, fields={"command": text})

    async def delete(self, ref: object) -> AsyncIterator[DeleteStep]:
        yield DeleteStep(self.text)
        raise Refused(self.text, self.text)

    async def history(self, query: HistoryQuery, *, after: str = "") -> HistoryPage:
        text = self.text
        one = HistoryEntry(
            name=text, owner=text, cluster=text, reason=text, state=JobState.FAILED, created=MADE
        )
        return HistoryPage((one,) * 3, text)

    async def usage_report(self, query: ReportQuery) -> UsageReport:
        row = ReportRow(group=self.text, held=3.0, uncertain=1.0, jobs=1)
        return UsageReport(by=query.by, rows=(row,) * 3, total=row, since=MADE, until=MADE)

    async def receipt(self, ref: JobRef) -> Receipt:
        text, job = self.text, self.jobs[ref.uid]
        advice = Advice(sentence=text, changes={"memory": text, text: text})
        return Receipt(
            job=ref, spec=msgspec.structs.replace(job.spec, gpus=1), gpu_types=(text,), advice=advice
        )

    @property
    def job(self) -> Job:
        return self.jobs["u"]

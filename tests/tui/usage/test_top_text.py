"""The rows of `top`: what nobody told is empty, and all fits into 80 cells."""

from datetime import UTC, datetime, timedelta

from backend_client.models import Attempt, JobUsage
from backend_client.text.usage import gpu_notes
from backend_client.usage import GpuUsage, Measure, RankUsage, Usage, UsageSource
from tests.support.scripted import make_job
from tui.usage.top_text import job_notes, job_rows, rank_rows, shorten_names, source_notes

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
GIB = 2**30
FULL = JobUsage(
    gpu=0.5,
    gpu_min=0.0,
    gpu_memory=0.874,
    gpu_memory_max=0.9,
    power=5600.0,
    cpu=12.4,
    memory=120 * GIB,
    source="NVML, /proc",
    as_of=NOW - timedelta(seconds=29),
)


def gpu(name: str, **more) -> GpuUsage:
    return GpuUsage(gpu=name, **{"memory_total": 80 * GIB, "as_of": NOW, **more})


def words(rows):
    return [[cell.strip() for cell in row] for row in rows]


def test_jobs_by_name_each_with_its_figures():
    jobs = [make_job("b10", gpus=8), make_job("b9", gpus=1)]
    rows = job_rows(jobs, {"uid-b10": FULL}, NOW, namespaces=False)
    assert words(rows) == [
        "NAME GPUS UTIL MIN GPUMEM POWER CPU MEM SEEN SOURCE".split(),
        ["b9", "1", *[""] * 8],
        ["b10", "8", "50%", "0%", "87%", "5.6kW", "12", "120Gi", "29s", "NVML, /proc"],
    ]
    assert len({len(row[5]) for row in rows}) == 1  # figures stand below each other


def test_more_where_it_is_wanted():
    job = make_job("a", owner="ada", namespace="team", attempts=(Attempt(number=1, node="gpu-7"),))
    assert job_rows([job], {}, NOW, namespaces=True)[1][0] == "team/a"
    wide = words(job_rows([job], {}, NOW, namespaces=False, wide=True))
    assert wide[0][-3:] == ["OWNER", "NODE", "SOURCE"]
    assert wide[1][-3:] == ["ada", "gpu-7", ""]


def test_long_names_leave_the_figures_their_room():
    jobs = [make_job("n" * 63, gpus=128, uid="a"), make_job("m" * 63, gpus=8, uid="b")]
    most = JobUsage(
        gpu=1.0,
        gpu_min=1.0,
        gpu_memory=1.0,
        power=12_000.0,
        cpu=0.05,
        memory=int(1.7 * 2**40),
        source="Prometheus monitoring/prometheus-operated",
        as_of=NOW - timedelta(hours=47),
    )
    rows = shorten_names(job_rows(jobs, {"a": most, "b": FULL}, NOW, namespaces=False), 80)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    assert sum(widths[:-1]) + 2 * len(widths[:-1]) + len("NVML, /proc") <= 80
    assert rows[1][0].endswith("m…")


def test_ranks_with_a_row_for_each_gpu():
    usage = Usage(
        ranks=(
            RankUsage(rank=1, node="gpu-8", cpu=0.97, memory=GIB, memory_limit=4 * GIB, as_of=NOW),
            RankUsage(
                rank=0,
                node="gpu-7",
                gpus=(gpu("0", utilisation=0.97, memory=71 * GIB, power=689.4, temperature=61), gpu("1")),
                as_of=NOW - timedelta(seconds=5),
            ),
        )
    )
    assert words(rank_rows(usage, NOW)) == [
        "RANK GPU UTIL GPUMEM POWER TEMP CPU MEM SEEN NODE".split(),
        ["0", "0", "97%", "71Gi/80Gi", "689W", "61°C", "", "", "5s", "gpu-7"],
        ["", "1", "", "", "", "", "", "", "", ""],
        ["1", "", "", "", "", "", "1.0", "1Gi/4Gi", "0s", "gpu-8"],
    ]


def test_columns_of_which_nothing_is_told_are_left_out_but_for_those_that_are_looked_for():
    bare = Usage(ranks=(RankUsage(gpus=(GpuUsage(gpu="0"),)),))
    assert words(rank_rows(bare, NOW)) == ["RANK GPU UTIL GPUMEM CPU MEM".split(), ["0", "0", "", "", "", ""]]
    told = Usage(ranks=(RankUsage(pod="p-0", gpus=(gpu("0", activity=0.4, product="H100", uuid="GPU-a"),)),))
    assert "ACTIVE" in rank_rows(told, NOW)[0][3]
    assert words(rank_rows(told, NOW, wide=True))[1][-3:] == ["H100", "GPU-a", "p-0"]


def test_what_no_column_says_is_a_note():
    usage = Usage(ranks=(RankUsage(gpus=(gpu("3", xid=79, strangers=True), gpu("4", xid=0, shared=True))),))
    notes = gpu_notes(usage)
    assert [note.partition(" ")[2][:10] for note in notes] == ["3 has repo", "3 is used ", "4 is a par"]
    two = Usage(ranks=(RankUsage(rank=0), RankUsage(rank=5, gpus=(gpu("0", xid=31),))))
    assert gpu_notes(two) == ["rank 5, GPU 0 has reported the error XID 31"]
    jobs = [make_job("a"), make_job("b")]
    assert job_notes(jobs, {"uid-a": JobUsage(xid=0), "uid-b": JobUsage(xid=48)}) == [
        "b: a GPU has reported the error XID 48"
    ]


def test_sources_and_why_others_are_missing():
    sources = (
        UsageSource(name="NVML", gives=(Measure.UTILISATION, Measure.MEMORY)),
        UsageSource(name="/proc", gives=(Measure.CPU, Measure.RSS)),
        UsageSource(name="Prometheus", missing="it does not answer", since=NOW),
    )
    told, missing = source_notes(sources)
    assert told == "Figures from NVML: utilisation, GPU memory; /proc: CPU, memory"
    assert missing.startswith("Prometheus: it does not answer, since 05 Jan ")
    assert source_notes(()) == []

"""`top`: all running jobs, one by rank and GPU, live, and what there is to say where nothing is told."""

import json
import signal
import subprocess
import sys

import pytest

from backend_client.errors import Unreachable
from backend_client.models import JobState, JobUsage
from backend_client.protocol import Feature
from backend_client.usage import RankUsage, Usage, UsageSource, UsageTable
from tests.support.scripted import make_job
from tests.support.usages import make_usage

USED = JobUsage(gpu=0.9, gpu_min=0.1, power=300.0, cpu=1.5, memory=2**30, source="NVML")


@pytest.fixture
def jobs(backend):
    backend.put(
        make_job("bert", gpus=2, usage=USED),
        make_job("idle"),
    )
    backend.used["uid-bert"] = make_usage(ranks=2, gpus=2)
    return backend


def test_running_jobs_in_a_table(cli, jobs):
    done = cli("top")
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        "NAME GPUS UTIL MIN GPUMEM POWER CPU MEM SEEN SOURCE".split(),
        ["bert", "2", "90%", "10%", "300W", "1.5", "1Gi", "NVML"],
        ["idle", "0"],
    ]
    ((_, query),) = [call for call in jobs.calls if call[0] == "list"]
    assert query.states == {JobState.RUNNING}
    assert cli("top", "-o", "name").out.split() == ["bert", "idle"]


def test_one_job_by_rank_and_gpu(cli, jobs):
    done = cli("top", "bert")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == "RANK GPU UTIL GPUMEM POWER CPU MEM SEEN NODE".split()
    assert [row[:2] for row in rows[1:]] == [["0", "0"], ["1", "87%"], ["1", "0"], ["1", "87%"]]
    assert done.err == "Figures from Prometheus: utilisation, GPU memory, power, CPU.\n"
    assert "NVIDIA A100" in cli("top", "bert", "-o", "wide").out


def test_data(cli, jobs):
    table = json.loads(cli("top", "-o", "json").out)
    assert table["jobs"]["uid-bert"]["gpu_min"] == 0.1
    assert set(table) == {"jobs", "sources"}
    usage = json.loads(cli("top", "bert", "-o", "json").out)
    assert usage["ranks"][1]["gpus"][0]["utilisation"] == 0.87
    assert "utilisation: 0.87" in cli("top", "bert", "-o", "yaml").out


def test_nothing_to_show_is_said(cli, backend):
    done = cli("top")
    assert (done.code, done.out, done.err) == (0, "", "No job runs here.\n")
    backend.put(make_job("waits", JobState.QUEUED), make_job("runs"))
    assert cli("top", "waits").err == "waits does not run: it is Queued.\n"
    assert cli("top", "runs").err == "Nobody tells what runs uses.\n"


def test_exit_codes(cli, jobs):
    assert cli("top", "nope").code == 3
    assert cli("top", "--every", "often").code == 2
    jobs.fail["usages"] = Unreachable("The cluster does not answer.")
    assert cli("top").code == 4
    jobs.features -= {Feature.METRICS}
    jobs.missing_features[Feature.METRICS] = "this cluster has no metrics"
    for words in (["top"], ["top", "bert"], ["top", "-w"]):
        done = cli(*words)
        assert (done.code, "this cluster has no metrics" in done.err, done.out) == (1, True, "")


def test_cpu_that_the_first_reading_cannot_tell_is_read_again(cli, jobs):
    told = iter([USED.__class__(memory=5, source="/proc"), USED])

    async def usages(scope):
        return UsageTable(jobs={"uid-bert": next(told)})

    jobs.usages = usages
    assert cli("top").out.splitlines()[1].split() == ["bert", "2", "90%", "10%", "300W", "1.5", "1Gi", "NVML"]


def test_live_goes_on_over_faults_and_ends_with_the_job(cli, jobs):
    source = UsageSource(name="Prometheus", missing="it does not answer")
    told = iter(
        [
            Usage(ranks=(RankUsage(cpu=1.0, memory=2**30),), sources=(source,)),
            Unreachable("The cluster does not answer."),
            Usage(sources=(source,)),
        ]
    )

    async def usage(ref):
        found = next(told)
        if isinstance(found, Exception):
            jobs.change("uid-bert", state=JobState.SUCCEEDED)
            raise found
        return found

    jobs.usage = usage
    done = cli("top", "bert", "-w", "--every", "1")
    first, stale, last = done.out.split("\n\n")
    assert done.code == 0
    assert first.splitlines()[0].startswith("scripted  ")
    assert first.splitlines()[-1] == "Prometheus: it does not answer."
    assert stale.splitlines()[1:3] == first.splitlines()[1:3]
    assert stale.splitlines()[-1].startswith("not up to date since ")
    assert stale.splitlines()[-1].endswith("the cluster does not answer.")
    assert last.splitlines()[1] == "bert does not run: it is Succeeded."


def test_live_data_is_a_line_for_each_reading(cli, jobs):
    jobs.change("uid-bert", state=JobState.SUCCEEDED)
    (line,) = cli("top", "bert", "-w", "-o", "json").out.splitlines()
    assert len(json.loads(line)["ranks"]) == 2


def test_ctrl_c_ends_it_without_a_word():
    command = [sys.executable, "-m", "tui", "--context", "local", "top", "-w"]
    live = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert live.stdout.readline().startswith("local  ")
    assert live.stdout.readline() == "No job runs here.\n"
    live.send_signal(signal.SIGINT)
    out, err = live.communicate(timeout=60)
    assert (live.returncode, out, err) == (130, "", "")

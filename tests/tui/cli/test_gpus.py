"""`gpus`: the machines in every output."""

import json

from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from backend_client.models import JobState
from backend_client.protocol import Capacity, GpuQuota
from tests.support.scripted import make_job

BERT = Holder(gpus=3, whose=Whose.MINE, uid="u", name="bert")
NODES = (
    GpuNode(name="gpu-1", product="H100", resource="nvidia.com/gpu", total=8, free=5, holders=(BERT,)),
    GpuNode(name="gpu-2", product="H100", resource="nvidia.com/gpu", total=8, free=8),
)


def test_a_table_with_sums(cli, backend):
    backend.machines = GpuNodes(NODES)
    done = cli("gpus")
    assert [line.split() for line in done.out.splitlines()] == [
        ["NODE", "PRODUCT", "FREE", "TOTAL", "GPUS", "STATE", "HELD", "BY"],
        ["gpu-2", "H100", "8", "8", "........"],
        ["gpu-1", "H100", "5", "8", "MMM.....", "bert", "3"],
    ]
    assert "13 of 16 free  largest block 8 on gpu-2" in done.err
    assert "nvidia.com/gpu" in cli("gpus", "-o", "wide").out


def test_names_and_data(cli, backend):
    backend.machines = GpuNodes(NODES)
    assert cli("gpus", "-o", "name").out == "gpu-2\ngpu-1\n"
    found = json.loads(cli("gpus", "-o", "json").out)
    assert [node["name"] for node in found["nodes"]] == ["gpu-2", "gpu-1"]
    assert found["nodes"][1]["holders"][0]["whose"] == "mine"
    assert "gpu-1" in cli("gpus", "-o", "yaml").out


def test_what_is_hidden_is_said_with_what_is_known(cli, backend):
    backend.jobs = {"a": make_job(state=JobState.RUNNING, gpus=2)}
    backend.machines = GpuNodes(unknown_because="you may not list nodes")
    backend.figures = Capacity(unknown_because="you may not list nodes", quota=GpuQuota(12, 16))
    done = cli("gpus")
    assert done.out == ""
    assert "not known: you may not list nodes" in done.err
    assert "12 of 16" in done.err
    assert "run with 2 GPUs" in done.err
    assert json.loads(cli("gpus", "-o", "json").out)["unknown_because"] == "you may not list nodes"


def test_a_machine_without_gpus(cli, backend):
    backend.machines = GpuNodes()
    assert "No machine here has GPUs." in cli("gpus").err

"""What nvidia-smi prints -> GPUs: a table, and anything at all."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.usage.nvidia_smi_csv import ARGV, FIELDS, parse_gpus
from backend_client.usage import GpuUsage

NOW = datetime(2026, 11, 30, tzinfo=UTC)
MIB = 2**20
H200 = "0, GPU-1b2c, NVIDIA H200, Disabled, 97, 1024, 143771, 301.55, 41"
FULL = GpuUsage(
    gpu="0",
    uuid="GPU-1b2c",
    product="NVIDIA H200",
    utilisation=0.97,
    memory=1024 * MIB,
    memory_total=143771 * MIB,
    power=301.55,
    temperature=41.0,
    as_of=NOW,
)


def parse(text):
    return parse_gpus(text, NOW)


def one(**cells):
    """The GPU of a line with other cells (field names with _)."""
    columns = dict(zip(FIELDS, H200.split(", "), strict=True))
    columns |= {name.replace("_", "."): cell for name, cell in cells.items()}
    (gpu,) = parse(", ".join(columns.values()))
    return gpu


def test_the_command():
    assert ARGV[0] == "nvidia-smi"
    assert ARGV[2] == "--format=csv,noheader,nounits"
    assert len(FIELDS) == len(H200.split(", "))


def test_a_whole_line():
    assert parse(f"{H200}\n") == (FULL,)
    assert parse(H200.replace(", ", ",") + "\r\n") == (FULL,)


UNKNOWN = ["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "[Insufficient Permissions]", "ERR!", "",
           "[GPU requires reset]", "-1", "nan", "inf", "1e3", "97 %", "٩٧", "1" * 20]  # fmt: skip


@pytest.mark.parametrize("cell", UNKNOWN)
def test_what_is_not_told_is_none_and_never_0(cell):
    assert one(utilization_gpu=cell).utilisation is None
    assert one(power_draw=cell).power is None
    assert one(temperature_gpu=cell).temperature is None
    assert (one(memory_used=cell).memory, one(memory_used=cell).memory_total) == (None, 143771 * MIB)
    assert (one(memory_total=cell).memory, one(memory_total=cell).memory_total) == (None, None)


@pytest.mark.parametrize(
    ("cells", "fields"),
    [
        ({"utilization_gpu": "0", "memory_used": "0"}, {"utilisation": 0.0, "memory": 0}),
        ({"utilization_gpu": "100"}, {"utilisation": 1.0}),
        ({"utilization_gpu": "400"}, {"utilisation": None}),
        ({"memory_used": "143772"}, {"memory": None, "memory_total": None}),
        ({"memory_total": "0"}, {"memory": None, "memory_total": None}),
        ({"power_draw": "2147483.648"}, {"power": None}),
        ({"name": "[Unknown Error]", "uuid": "[N/A]"}, {"product": "", "uuid": ""}),
        ({"mig_mode_current": "[N/A]"}, {"shared": False, "utilisation": 0.97}),
        ({"mig_mode_current": "Enabled", "utilization_gpu": "[N/A]"},
         {"shared": True, "utilisation": None, "memory": None, "memory_total": None, "power": 301.55}),
        ({"mig_mode_current": "Enabled", "utilization_gpu": "0"}, {"utilisation": None}),
        ({"index": "11"}, {"gpu": "11"}),
    ],
)  # fmt: skip
def test_figures(cells, fields):
    gpu = one(**cells)
    assert {name: getattr(gpu, name) for name in fields} == fields


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        'Field "mig.mode.current" is not a valid field to query.\n',
        "Failed to initialize NVML: Driver/library version mismatch\n",
        ", ".join(FIELDS),
        H200.rpartition(",")[0],
        f"{H200}, 5",
        H200.replace("301.55", "301,55"),
    ],
)
def test_what_is_no_gpu(text):
    assert parse(text) == ()


def test_a_warning_beside_hides_no_gpu():
    text = f"WARNING: infoROM is corrupted at gpu 0000:1A:00.0\n{H200}\nUnable to determine it\n"
    assert parse(text) == (FULL,)


CELL = st.one_of(st.text(max_size=8), st.sampled_from([*UNKNOWN, "0", "50", "1024", "Enabled", "3.5"]))


@given(st.lists(st.lists(CELL, min_size=7, max_size=10).map(", ".join), max_size=4).map("\n".join))
def test_any_text_gives_figures_that_a_gpu_can_have(text):
    for gpu in parse(text):
        assert gpu.gpu.isdecimal()
        assert gpu.utilisation is None or 0 <= gpu.utilisation <= 1
        assert gpu.memory is None or 0 <= gpu.memory <= gpu.memory_total
        assert gpu.power is None or 0 <= gpu.power < 1e9
        assert gpu.activity is gpu.xid is None


@given(st.integers(0, 100), st.integers(0, 200_000), st.floats(0, 1000))
def test_what_a_driver_says_is_what_is_told(share, used, watts):
    gpu = one(
        utilization_gpu=str(share), memory_used=str(used), memory_total="200000", power_draw=f"{watts:.2f}"
    )
    assert gpu.utilisation == share / 100
    assert gpu.memory == used * MIB
    assert gpu.power == float(f"{watts:.2f}")

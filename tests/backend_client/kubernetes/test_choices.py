"""What is said of claims in a form: size, who can mount it, what is free; unknown is not 0 (pure)."""

import msgspec
import pytest

from backend_client.kubernetes.choices import claim_choices
from backend_client.kubernetes.resources.volumes import Claim
from backend_client.models.datasets import Dataset
from backend_client.protocol import Choice


def claim(name="data", phase="Bound", modes=("ReadWriteMany",), **more):
    raw = {
        "metadata": {"name": name, **more.get("metadata", {})},
        "spec": {"accessModes": list(modes), "resources": {"requests": {"storage": "90Gi"}}},
        "status": {"phase": phase, "capacity": more.get("capacity", {"storage": "100Gi"})},
    }
    return msgspec.convert(raw, Claim)


@pytest.mark.parametrize(
    ("found", "free", "about"),
    [
        (claim(), {"data": 42 * 2**30}, "100Gi RWX, 42Gi free"),
        (claim(), {"data": 0}, "100Gi RWX, 0B free"),
        (claim(), {}, "100Gi RWX, free space unknown"),
        (claim(), {"other": 1}, "100Gi RWX, free space unknown"),
        (
            claim(modes=("ReadWriteOnce", "ReadOnlyMany"), capacity={}),
            {},
            "90Gi RWO ROX, free space unknown",
        ),
        (claim(phase="Pending", capacity={}), {}, "90Gi RWX, not bound to a volume (Pending)"),
        (claim(phase="Lost"), {"data": 1}, "100Gi RWX, not bound to a volume (Lost)"),
        (
            claim(metadata={"deletionTimestamp": "2026-12-01T00:00:00Z"}),
            {"data": 1},
            "100Gi RWX, is being deleted",
        ),
    ],
)
def test_what_is_said_of_a_claim(found, free, about):
    assert claim_choices("volumes", [found], free, {}) == [Choice("data:/data", about)]
    assert claim_choices("outputs", [found], free, {}) == [Choice("data", about)]


def test_datasets_come_first_and_outputs_go_where_one_can_write():
    sets = {"imagenet": Dataset(claim="sets", path="/data/imagenet")}
    read_only = claim("ro", modes=("ReadOnlyMany",))
    volumes = claim_choices("volumes", [claim(), read_only], {}, sets)
    assert [choice.value for choice in volumes] == ["~imagenet", "data:/data", "ro:/ro"]
    assert volumes[0].about == "dataset, read-only at /data/imagenet"
    outputs = claim_choices("outputs", [claim(), read_only], {}, sets)
    assert [choice.value for choice in outputs] == ["data"]

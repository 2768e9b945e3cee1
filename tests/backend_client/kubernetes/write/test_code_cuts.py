"""A job with code is created over a line that is cut again and again: whole or not there, and never twice."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from backend_client import backoff
from backend_client.code.pack import pack
from backend_client.errors import Unreachable
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests import code as code_manifests
from backend_client.kubernetes.manifests.code import part_of, parts_of
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.write.writer import JobWriter
from tests.backend_client.kubernetes.conftest import through
from tests.backend_client.kubernetes.support.live import Live
from tests.backend_client.kubernetes.support.specs import spec
from tests.backend_client.kubernetes.support.writing import (  # noqa: F401  fixtures
    a_live,
    anchors,
    remove,
    runs,
    there,
)
from tests.support.faults import Wire

CUTS, AT_MOST = 200, 4
"""In all, and in one create."""
PARTS, PART = 4, 10_000


def code_in(live: Live, namespace: str, name: str) -> tuple[str, bytes]:
    """What is there of a job ("" nothing, "held" what does not run, "runs"), and the code of its parts."""
    found = [item for item in there(live, namespace) if item["metadata"]["name"].startswith(name)]
    roots = anchors(found)
    if not roots:  # parts without it are collected as garbage
        assert all(item["metadata"]["ownerReferences"] for item in found)
        return "", b""
    (root,) = roots
    if not runs(root):
        assert labels.HELD in root["metadata"]["annotations"]
        return "held", b""
    secrets = {item["metadata"]["name"]: item for item in found if item["kind"] == "Secret"}
    return "runs", b"".join(part_of(secrets[part]) for part in parts_of(root))


@pytest.mark.api
@pytest.mark.slow
async def test_200_cuts_of_the_line(
    cluster, live, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(code_manifests, "_PART_BYTES", PART)
    target, outcomes, number = cluster.target(), Counter[str](), 0
    chance = random.Random(16)
    async with Wire(target.address.host, target.address.port) as wire:
        limits = [chance.randrange(1_000, 80_000) for _ in range(CUTS)]
        wire.both_ways = True
        transport = Transport(through(wire, target))
        writer = JobWriter(transport, KubernetesSettings(), "here", namespace)
        while wire.cuts < CUTS:
            number += 1
            name = f"n{number}-"
            (tmp_path / "data").write_bytes(os.urandom(PART * PARTS - 2000))
            bundle = pack(str(tmp_path), 2**20)
            writer.code.keep(bundle)
            asked = spec(name=f"{name}x", code=bundle.name, node_selector={"nobody": "has-it"})
            wire.limits = limits[wire.cuts : wire.cuts + AT_MOST]
            try:
                made = await writer.create(asked, key=name, secrets={})
            except Unreachable:
                made = None
            wire.limits = []
            state, code = code_in(live, namespace, name)
            outcomes["made" if made else f"failed, {state or 'nothing'} is there"] += 1
            if made or state == "runs":
                assert (state, code) == ("runs", bundle.data)
            again = await writer.create(asked, key=name, secrets={})
            assert made is None or made.ref == again.ref
            assert code_in(live, namespace, name) == ("runs", bundle.data)
            remove(live, there(live, namespace))
        await transport.aclose()
    assert min(outcomes["made"], number - outcomes["made"]) > 5, outcomes

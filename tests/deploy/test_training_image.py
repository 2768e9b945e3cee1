"""The image of deploy/training.Dockerfile: its very lines make it, and a job of a real node runs it."""

import asyncio
import os
import shlex
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from backend_client.models import JobState
from backend_client.models.fields import parse_spec
from tests.contract.support.cluster import ClusterHarness
from tests.contract.support.harness import finished, log_text
from tests.deploy.support.dockerfile import Image, build
from tests.deploy.support.pythonbase import python_base

GIVEN = "TRAINDECK_TEST_KUBECONFIG"
LOAD = "TRAINDECK_TEST_LOAD_IMAGE"
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "job.yaml"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if os.geteuid():
        pytest.skip("needs root: the lines of a Dockerfile are run by chroot")
    folder = tmp_path_factory.mktemp("image")
    return build(ROOT / "deploy" / "training.Dockerfile", ROOT, python_base, folder)


def test_its_lines_make_an_image_that_trains_as_its_user(image: Image):
    user = ["--userspec", image.user, str(image.root)]
    argv = ["chroot", *user, *image.command, "--steps", "20", "--hidden", "4"]
    said = subprocess.run(argv, env=image.env, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "step 20/20 loss" in said
    assert image.user == "1000:1000"
    assert "trainer:x:1000:" in (image.root / "etc/passwd").read_text()


@pytest.mark.node
async def test_a_job_of_a_real_node_runs_it(image: Image, tmp_path: Path):
    if LOAD not in os.environ:
        pytest.skip(
            f"needs {LOAD}, a command that makes an image of the test cluster's node: FOLDER NAME CMD…"
        )
    spec = parse_spec({**yaml.safe_load(EXAMPLE.read_text()), "gpus": 1})
    load = [*shlex.split(os.environ[LOAD]), str(image.root), spec.image, *image.command]
    await asyncio.to_thread(subprocess.run, load, check=True, timeout=60)
    harness = ClusterHarness(tmp_path, Path(os.environ[GIVEN]))
    try:
        steps = (*image.command, "--steps", "50", "--hidden", "8")
        made = await harness.backend.create(msgspec.structs.replace(spec, command=steps), key="k", secrets={})
        job = await finished(harness.backend, made.ref)
        assert job.state is JobState.SUCCEEDED, job.reason
        assert b"step 50/50 loss" in await log_text(harness.backend, made.ref)
    finally:
        await harness.aclose()

"""What makes a job a dev job, and what is said of it."""

from datetime import UTC, datetime

import pytest

from backend_client.dev.job import about, dev_spec, idle_of, is_dev
from backend_client.errors import Invalid
from backend_client.models import JobSpec, JobState
from backend_client.text.dev import farewell, left_waiting, no_shell
from backend_client.text.job_cells import JOB_CELLS
from backend_client.text.timeline import command_line
from tests.support.scripted import make_job

ASKED = JobSpec(name="lab", kind="job", gpus=2, max_runtime=3600, labels={"team": "x"})


def test_it_is_an_ordinary_job_with_a_label_and_a_limit():
    spec = dev_spec(ASKED, 7200)
    assert spec.command[:2] == ("sh", "-c")
    assert spec.command[3:] == ("dev", "7200", "3600", "2")
    assert spec.labels == {"team": "x", "traindeck.dev/dev": "true"}
    assert (is_dev(spec), is_dev(ASKED)) == (True, False)
    assert (idle_of(spec), idle_of(dev_spec(ASKED, 0)), idle_of(ASKED)) == (7200, 0, 0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "deployment"}, "kind"),
        ({"nodes": 2}, "nodes"),
        ({"retries": 1}, "retries"),
        ({"max_runtime": 0}, "max_runtime"),
    ],
)
def test_what_it_cannot_be_is_said_at_the_field(fields, field):
    asked = {"name": "lab", "kind": "job", "max_runtime": 60} | fields
    with pytest.raises(Invalid) as caught:
        dev_spec(JobSpec(**asked), 0)
    assert set(caught.value.fields) == {field}


def test_lists_and_pages_show_what_it_does_and_not_its_script():
    spec = dev_spec(ASKED, 7200)
    (cell,) = [cell for cell in JOB_CELLS if cell.name == "command"]
    words = "dev: waits for a shell, ends when idle for 2h"
    assert cell.text(make_job("lab", spec=spec), datetime.now(UTC)) == words
    assert command_line(spec) == words
    assert about(dev_spec(ASKED, 0)) == "waits for a shell"


def test_who_leaves_it_is_told_how_to_come_back_and_what_is_lost():
    job = make_job(
        "lab", JobState.RUNNING, spec=dev_spec(ASKED, 7200), started=datetime(2026, 1, 1, tzinfo=UTC)
    )
    words = farewell(job, keeps_files=False)
    for part in ("traindeck shell lab", "traindeck delete lab", "idle for 2h", "extend lab", "is lost"):
        assert part in words
    assert "lost" not in farewell(job, keeps_files=True)
    assert "traindeck dev lab" in left_waiting(job)


def test_an_image_without_sh_is_named():
    spec = dev_spec(JobSpec(name="lab", image="distroless", max_runtime=60), 0)
    failed = make_job("lab", JobState.FAILED, spec=spec, reason="the image has no program sh")
    assert no_shell(failed) == "The image distroless has no sh, which a dev job needs."
    assert no_shell(make_job("lab", JobState.FAILED, spec=spec, reason="exit 1")) == ""

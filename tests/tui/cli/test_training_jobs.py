"""A training job of another tool on the command line: what can be done, and what is said."""

from typing import Any

from backend_client.models import Job
from tests.support.scripted import ScriptedBackend, make_job

OBJECT = "kubectl get jobset llama -n team-a -o yaml"


def jobset() -> Job:
    return make_job(
        "llama",
        kind="jobset",
        namespace="team-a",
        gpus=8,
        read_only="made by JobSet, not by traindeck: all you can do here is stop or delete it",
        made_by="JobSet",
        allows=("stop", "delete"),
    )


def test_no_verb_makes_it_again(cli: Any, backend: ScriptedBackend):
    backend.put(jobset())
    for words in (("again", "llama"), ("describe", "llama", "-o", "yaml")):
        result = cli(*words)
        assert result.code == 1
        assert OBJECT in " ".join(result.err.split())
    assert "made by JobSet, not by traindeck" in cli("describe", "llama").out
    assert not [name for name, _ in backend.calls if name == "create"]


def test_what_is_selected_leaves_it_out_and_its_name_does_not(cli: Any, backend: ScriptedBackend):
    backend.put(jobset(), make_job("ours"))
    assert cli("stop", "--state", "running", "--yes").code == 0
    assert [about.name for name, about in backend.calls if name == "stop"] == ["ours"]
    assert cli("stop", "llama").code == 0
    assert [about.name for name, about in backend.calls if name == "stop"] == ["ours", "llama"]

"""`files`: what is in the outputs of a job, as a table, as data, as names; and why not."""

import json
from datetime import UTC, datetime

import pytest

from backend_client.errors import Refused
from backend_client.models.outputs import Outputs
from backend_client.output_files import FileKind, FileList, OutputFile
from backend_client.protocol import Feature
from tests.support.scripted import make_job

WHEN = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
OUTPUTS = Outputs(path="/outputs", claim="results", sub_path="bert-1a2b3c4d")
FOUND = FileList(
    folder="/outputs",
    files=(
        OutputFile(name="step-10.pt", kind=FileKind.FILE, size=3 * 2**30, modified=WHEN),
        OutputFile(name="step-2.pt", kind=FileKind.FILE, size=0, modified=WHEN),
        OutputFile(name="logs", kind=FileKind.FOLDER, modified=WHEN),
        OutputFile(name="latest", kind=FileKind.LINK, modified=WHEN),
        OutputFile(name="a\x1b[2J\nb", kind=FileKind.OTHER, modified=WHEN),
    ),
)


@pytest.fixture
def bert(backend):
    backend.put(make_job("bert", outputs=OUTPUTS))
    backend.files_of["uid-bert"] = FOUND


def test_names_sizes_and_times(cli, bert, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    result = cli("files", "bert")
    assert result.err == "/outputs in the job; bert-1a2b3c4d of the claim results\n"
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["NAME", "SIZE", "MODIFIED"]
    assert [line[0] for line in lines[1:]] == ["a�[2J", "latest@", "logs/", "step-2.pt", "step-10.pt"]
    assert lines[4][1:] == ["0B", "2026-12-01", "09:30:00"]
    assert lines[5][1] == "3Gi"
    assert lines[3][1:] == ["2026-12-01", "09:30:00"]  # a folder has no size, which is not 0


def test_as_data_and_as_names(cli, bert):
    told = json.loads(cli("files", "bert", "-o", "json").out)
    assert told["folder"] == "/outputs"
    assert told["files"][2] == {
        "name": "logs",
        "kind": "folder",
        "size": None,
        "modified": "2026-12-01T09:30:00Z",
    }
    assert told["files"][4]["name"] == "a\x1b[2J\nb"
    assert cli("files", "bert", "-o", "name").out.splitlines()[2] == "logs/"


def test_a_path_goes_on_to_the_context(cli, bert, backend):
    assert cli("files", "bert", "logs").err == "/outputs\n"
    assert ("output_files", (backend.jobs["uid-bert"].ref, "logs")) in backend.calls


def test_what_cannot_be_listed_is_said(cli, bert, backend):
    backend.files_of["uid-bert"] = FileList(folder="/outputs", files=())
    empty = cli("files", "bert")
    assert (empty.code, empty.out) == (0, "")
    assert empty.err.startswith("There is nothing in /outputs in the job")
    backend.fail["output_files"] = Refused("Only a pod can read them.", "This lists them: x")
    assert cli("files", "bert").err.splitlines() == ["Only a pod can read them.", "This lists them: x"]
    backend.features -= {Feature.FILES}
    backend.missing_features = {Feature.FILES: "nobody can here"}
    result = cli("files", "bert")
    assert (result.code, result.err.splitlines()[-1]) == (1, "Nobody can here.")


def test_describe_says_where_they_lie(cli, bert):
    assert (
        "Outputs:     /outputs in the job; bert-1a2b3c4d of the claim results\n"
        in cli("describe", "bert").out
    )

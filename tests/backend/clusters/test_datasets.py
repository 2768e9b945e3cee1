"""The setting `datasets` of a server."""

import pytest

from backend.clusters.registry import datasets_of
from backend.settings import ServerSettings
from backend_client.errors import Refused
from backend_client.models.datasets import Dataset


def test_they_are_read_as_those_of_a_person():
    written = {"imagenet": {"claim": "sets", "path": "/data", "sub_path": "in"}}
    assert datasets_of(ServerSettings(datasets=written)) == {
        "imagenet": Dataset(claim="sets", path="/data", sub_path="in")
    }
    assert datasets_of(ServerSettings()) == {}


@pytest.mark.parametrize("written", [{"claim": "sets"}, {"claim": "sets", "path": "/x", "subpath": "in"}])
def test_what_is_wrong_is_said(written):
    with pytest.raises(Refused, match=r"The setting datasets cannot be read: .*path"):
        datasets_of(ServerSettings(datasets={"imagenet": written}))

"""The Kubernetes part of a server's settings: what it may not say."""

import pytest

from backend.clusters.registry import kubernetes_settings
from backend.settings import ServerSettings
from backend_client.errors import Refused


def test_what_it_says_is_what_clusters_get():
    found = kubernetes_settings(ServerSettings(kubernetes={"gpu_resource": "amd.com/gpu"}))
    assert (found.gpu_resource, found.nvidia_smi) == ("amd.com/gpu", False)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"nvidia_smi": True}, r"A server runs nothing in people's pods: kubernetes.nvidia_smi"),
        ({"nvidia_smi": "yes"}, "The setting kubernetes cannot be read"),
        ({"gpus": 1}, "The setting kubernetes cannot be read"),
    ],
)
def test_what_a_server_does_not_do_is_refused(written, words):
    with pytest.raises(Refused, match=words):
        kubernetes_settings(ServerSettings(kubernetes=written))

"""A pod whose code could not be unpacked says so, and what its image lacks."""

import msgspec
import pytest

from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.kubernetes.status.exit_reason import pod_exit_reason

NO_SH = 'exec: "sh": executable file not found in $PATH: unknown'


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ({"exitCode": 128, "reason": "StartError", "message": NO_SH}, "sh, tar and gzip of the image unpack"),
        ({"exitCode": 127, "reason": "Error", "message": "sh: tar: not found"}, "use one that has them"),
        ({"exitCode": 1, "reason": "Error", "message": "tar: no space left"}, "could not be unpacked"),
    ],
)
def test_it_says_what_the_image_lacks(ended: dict[str, object], said: str) -> None:
    status = {"name": "code", "state": {"terminated": ended}}
    pod = {
        "metadata": {"name": "p"},
        "spec": {"initContainers": [{"name": "code"}], "containers": [{"name": "main"}]},
        "status": {"phase": "Failed", "initContainerStatuses": [status]},
    }
    assert said in pod_exit_reason(PODS.decode_object(msgspec.json.encode(pod)))

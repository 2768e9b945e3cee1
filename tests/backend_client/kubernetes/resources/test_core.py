"""Typed objects: what is read of real ones, and that nulls and odd fields do no harm."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.workloads import Deployment

KINDS = [kind for kind in vars(resource_types).values() if isinstance(kind, resource_types.ResourceType)] + [
    resource_types.kueue_workloads("v1beta2")
]

POD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {
        "name": "train-0",
        "namespace": "team-a",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-24T10:00:00Z",
        "managedFields": [{"manager": "x", "fieldsV1": {"f:metadata": {}}}],
        "ownerReferences": [
            {"kind": "Job", "name": "train", "uid": "j", "controller": True, "apiVersion": "batch/v1"}
        ],
    },
    "spec": {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "8"}}}]},
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "containerStatuses": [
            {"containerID": "c", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
        ],
    },
}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_pod() -> None:
    pod = resource_types.PODS.decode_object(encoded(POD))
    assert isinstance(pod, Pod)
    assert (pod.uid, pod.name, pod.namespace) == ("u", "train-0", "team-a")
    assert pod.metadata.creation_timestamp == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert pod.owner
    assert pod.owner.name == "train"
    assert pod.spec.containers[0].resources.limits == {"nvidia.com/gpu": "8"}
    ended = pod.status.container_statuses[0].state.terminated
    assert ended
    assert (ended.exit_code, ended.reason) == (137, "OOMKilled")


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_what_is_absent_or_null_has_a_default(kind: resource_types.ResourceType[Any]) -> None:
    bare = kind.decode_object(b"{}")
    assert kind.decode_object(b'{"metadata":null,"spec":null,"status":null}') == bare
    assert kind.decode_object(b'{"metadata":{"labels":null,"creationTimestamp":null}}') == bare
    assert kind.decode_page(b'{"metadata":{"resourceVersion":"3"},"items":null}').items == ()
    assert bare.name == ""
    assert bare.owner is None


def nulled(value: Any) -> st.SearchStrategy[Any]:
    """The same, with nulls in the place of anything."""
    if isinstance(value, dict):
        return st.fixed_dictionaries({key: st.none() | nulled(item) for key, item in value.items()})
    if isinstance(value, list):
        return st.tuples(*map(nulled, value)).map(list)
    return st.just(value)


@given(nulled(POD))
def test_nulls_anywhere(pod: dict[str, Any]) -> None:
    assert isinstance(resource_types.PODS.decode_object(encoded(pod)), Pod)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)
    )
)
def test_anything_else_is_an_error_of_the_decoder(value: Any) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        resource_types.PODS.decode_object(encoded({"metadata": value, "spec": value, "status": value}))


def test_an_error_says_where() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `str`, got `int` - at `\$.metadata.name`"):
        resource_types.PODS.decode_object(b'{"metadata":{"name":7}}')


def test_a_template_keeps_what_a_pod_does_not() -> None:
    container = {"name": "main", "env": [{"name": "A", "value": "b"}], "workingDir": "/w"}
    template = {"spec": {"containers": [container]}}
    made = resource_types.DEPLOYMENTS.decode_object(encoded({"spec": {"template": template}}))
    assert isinstance(made, Deployment)
    assert made.spec.template.spec.containers[0].env[0].value == "b"
    assert not hasattr(resource_types.PODS.decode_object(encoded(template)).spec.containers[0], "env")


def test_events_of_old_and_new_writers() -> None:
    old = resource_types.EVENTS.decode_object(b'{"lastTimestamp":"2026-01-01T00:00:00Z","count":3}')
    new = resource_types.EVENTS.decode_object(
        b'{"lastTimestamp":null,"eventTime":"2026-01-02T00:00:00.5Z","series":{"count":9,"lastObservedTime":null}}'
    )
    assert isinstance(old, KubeEvent)
    assert (old.time, old.times) == (datetime(2026, 1, 1, tzinfo=UTC), 3)
    assert (new.time, new.times) == (datetime(2026, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC), 9)


def test_places() -> None:
    assert resource_types.PODS.path() == "/api/v1/pods"
    assert resource_types.PODS.path("a", "b", "log") == "/api/v1/namespaces/a/pods/b/log"
    assert resource_types.NODES.path("ignored", "n") == "/api/v1/nodes/n"
    assert resource_types.PODS.path("a/../b", "?x") == "/api/v1/namespaces/a%2F..%2Fb/pods/%3Fx"
    assert (resource_types.JOBS.resource, resource_types.PODS.resource, resource_types.JOBS.group) == (
        "jobs.batch",
        "pods",
        "batch",
    )


@pytest.mark.api
@pytest.mark.parametrize("kind", KINDS[:-1], ids=repr)
async def test_every_kind_is_served(transport: Transport, kind: resource_types.ResourceType[Any]) -> None:
    page = kind.decode_page((await transport.request("GET", kind.path())).body)
    assert page.metadata.resource_version

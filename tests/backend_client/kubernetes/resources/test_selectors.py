"""A label selector as the API's queries spell it, and what a real API server makes of the spelling."""

from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.kubernetes.resources.selectors import LabelSelector, label_selector
from backend_client.kubernetes.watch.lists import list_all


def selector(labels: dict[str, str] | None = None, *expressions: tuple[str, ...]) -> LabelSelector:
    terms = [{"key": key, "operator": operator, "values": values} for key, operator, *values in expressions]
    return msgspec.convert({"matchLabels": labels or {}, "matchExpressions": terms}, LabelSelector)


CASES = [
    (selector({"app": "web"}), "app=web", {"web", "web-canary"}),
    (selector({"app": "web", "track": "canary"}), "app=web,track=canary", {"web-canary"}),
    (selector(None, ("app", "In", "web", "db")), "app in (web,db)", {"web", "web-canary", "db"}),
    (selector(None, ("app", "NotIn", "web", "db")), "app notin (web,db)", {"bare"}),
    (selector(None, ("track", "Exists")), "track", {"web-canary"}),
    (selector(None, ("track", "DoesNotExist")), "!track", {"web", "db", "bare"}),
    (
        selector({"app": "web"}, ("track", "DoesNotExist"), ("app", "In", "web")),
        "app=web,!track,app in (web)",
        {"web"},
    ),
    (selector(), "none,!none", set()),
]


@pytest.mark.parametrize(("given", "spelled", "_"), CASES)
def test_each_operator_has_its_spelling(given: LabelSelector, spelled: str, _: set[str]) -> None:
    assert label_selector(given) == spelled


@pytest.mark.api
async def test_an_api_server_selects_by_it(transport: Transport, namespace: str) -> None:
    pods: dict[str, dict[str, str]] = {
        "web": {"app": "web"},
        "web-canary": {"app": "web", "track": "canary"},
        "db": {"app": "db"},
        "bare": {},
    }
    for name, labels in pods.items():
        pod: dict[str, Any] = {
            "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "x"}], "schedulerName": "nobody"},
        }
        await transport.request("POST", PODS.path(namespace), body=msgspec.json.encode(pod))
    for given, _, names in CASES:
        found = await list_all(transport, PODS, namespace, labels=label_selector(given))
        assert {pod.name for pod in found} == names, given

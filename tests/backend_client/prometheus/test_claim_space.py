"""What claims hold free: of this namespace alone, whichever label has it; what nobody tells is not there."""

import pytest

from backend_client.prometheus.claim_space import claims_free, claims_query
from backend_client.prometheus.client import Series


def series(number, **metric):
    return Series({"persistentvolumeclaim": "data", **metric}, (1_800_000_000.0, number))


KEPT = {"namespace": "team"}
RENAMED = {"namespace": "monitoring", "exported_namespace": "team"}
"""Of a scrape with honor_labels, and of one without."""


@pytest.mark.parametrize(
    ("answer", "free"),
    [
        ([], {}),
        ([series("1024", **KEPT)], {"data": 1024}),
        ([series("1024", **RENAMED)], {"data": 1024}),
        ([series("0", **KEPT)], {"data": 0}),
        ([series("NaN", **KEPT)], {}),
        ([series("-1", **KEPT)], {}),
        ([series("1024", **KEPT), series("1000", **RENAMED)], {"data": 1000}),
        ([series("1", namespace="team", exported_namespace="other")], {}),
        ([Series({"namespace": "team"}, (1.0, "5"))], {}),
        ([series("5", **KEPT, persistentvolumeclaim="b")], {"b": 5}),
    ],
)
def test_free_bytes_by_claim(answer, free):
    assert claims_free(answer, "team") == free


def test_a_namespace_is_quoted():
    assert claims_query('a"b').count(r'"a\"b"') == 2

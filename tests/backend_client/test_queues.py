"""Who lends to whom, as far as the figures of the queues of a cohort tell."""

import pytest

from backend_client.queues import ClusterQueueInfo, FlavorQuota, Loan, QueueBoard, borrowable, lenders, loan


def queue(name: str, nominal: int, used: int, borrowed: int = 0, **more: object) -> ClusterQueueInfo:
    quota = FlavorQuota(
        flavor="a100", resource="nvidia.com/gpu", nominal=nominal, used=used, borrowed=borrowed, **more
    )
    return ClusterQueueInfo(name=name, cohort="research", quotas=(quota,))


def told(*queues: ClusterQueueInfo, of: str = "a"):
    board = QueueBoard(cluster_queues=queues)
    asked = next(each for each in queues if each.name == of)
    (quota,) = asked.quotas
    return lenders(board, asked, quota), loan(board, asked, quota), borrowable(board, asked, quota)


@pytest.mark.parametrize(
    ("queues", "of", "expected"),
    [
        ((queue("a", 16, 24, 8), queue("b", 8, 0)), "a", (["b"], None, {})),
        ((queue("a", 16, 24, 8), queue("b", 8, 0)), "b", ([], Loan(8, ("a",), True), {})),
        ((queue("a", 16, 8), queue("b", 8, 0)), "a", ([], None, {"b": 8})),
        ((queue("a", 16, 8), queue("b", 8, 0, lending_limit=2)), "a", ([], None, {"b": 2})),
        ((queue("a", 8, 8, borrowing_limit=4), queue("b", 8, 0)), "a", ([], None, {"b": 4})),
        (
            (queue("a", 8, 12, 4), queue("b", 4, 0), queue("c", 4, 0)),
            "a",
            (["b", "c"], None, {"b": 4, "c": 4}),
        ),
        (
            (queue("a", 8, 12, 4), queue("b", 4, 0), queue("c", 4, 0)),
            "b",
            ([], Loan(4, ("a",), False), {}),
        ),
        ((queue("a", 8, 0), queue("b", 8, 8)), "a", ([], None, {})),
    ],
)
def test_loans(queues, of, expected):
    assert told(*queues, of=of) == expected


def test_a_queue_without_a_cohort_lends_nothing():
    alone = ClusterQueueInfo(name="a", quotas=(FlavorQuota(flavor="f", resource="r", nominal=4, used=0),))
    other = ClusterQueueInfo(
        name="b", quotas=(FlavorQuota(flavor="f", resource="r", nominal=0, used=4, borrowed=4),)
    )
    assert told(alone, other) == ([], None, {})

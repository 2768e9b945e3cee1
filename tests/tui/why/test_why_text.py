"""An explanation in lines: what stands where, at which width, with which marks."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from backend_client.models import JobState
from backend_client.models.job import QueuePlace, StartRange
from backend_client.text.why import changed_fields
from backend_client.why import Cause, Explanation, Failure, Offer
from tests.support.scripted import make_job
from tui.ui.format import wrap
from tui.why.why_text import View, page

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
RAW = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.\npreemption: 0/3 nodes are available."
CHAIN = (
    Cause(id="queue.quota", sentence="the queue team-a holds it", object="workload/job-bert-1a2b"),
    Cause(
        id="fit.gpus",
        sentence="no node has 8 free GPUs; the largest free block is 4, on gpu-12",
        object="pod/bert-0-x7x",
        since=NOW - timedelta(minutes=12),
        raw=RAW,
    ),
)
OFFERS = (
    Offer(id="fewer", sentence="4 GPUs fit on gpu-12 now", changes={"gpus": "4"}),
    Offer(id="queue", sentence="the queue team-b has 8 GPUs free", changes={"queue": "team-b"}),
)
FOUND = Explanation(
    sentence="no node has 8 free GPUs",
    chain=CHAIN,
    offers=OFFERS,
    unknown=("you may not list nodes, so the largest free block is not known",),
)
JOB = make_job("bert", JobState.PENDING, gpus=8, reason="no node has 8 free GPUs")
BELOW = ("gpus 8 -> 4", "queue none -> team-b")


def lines(found=FOUND, job=JOB, width=80, **view):
    rows = page(job, found, NOW, width, View(**{"below_offers": BELOW[: len(found.offers)], **view}))
    return [row.text for row in rows]


def test_the_page_at_80_columns():
    assert lines(cursor=1) == [
        " no node has 8 free GPUs",
        "",
        " Why",
        "   the queue team-a holds it   workload/job-bert-1a2b",
        " > └ + no node has 8 free GPUs; the largest free block is 4, on gpu-12",
        "       pod/bert-0-x7x  12m",
        "",
        " What would help",
        "   1  4 GPUs fit on gpu-12 now",
        "      gpus 8 -> 4",
        "   2  the queue team-b has 8 GPUs free",
        "      queue none -> team-b",
        "",
        " Not known",
        "   you may not list nodes, so the largest free block is not known",
    ]


def test_where_there_is_room_object_and_age_stand_beside():
    assert (
        " > └ + no node has 8 free GPUs; the largest free block is 4, on gpu-12   pod/bert-0-x7x  12m"
        in lines(cursor=1, width=120)
    )


def test_the_raw_text_unfolds_below_its_link():
    shown = lines(cursor=1, unfolded=frozenset({0, 1}))
    assert shown[4] == "   │ This is a field of the object: it says no more in words."
    assert shown[5].startswith(" > └ - no node")
    assert shown[7:9] == [
        "       │ 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        "       │ preemption: 0/3 nodes are available.",
    ]


def test_every_row_knows_its_item():
    rows = page(JOB, FOUND, NOW, 80, View(cursor=2, below_offers=BELOW))
    assert [row.item for row in rows if row.item >= 0] == [0, 1, 1, 2, 2, 3, 3]
    assert next(row.text for row in rows if row.item == 2).startswith(" > 1  ")


def test_offers_that_cannot_be_taken_are_grey_and_say_why():
    rows = page(JOB, FOUND, NOW, 80, View(barred="Viewers change nothing.", below_offers=BELOW))
    assert {style for row in rows if row.item == 2 for _, style in row.parts[:2]} <= {
        "$text-disabled",
        "$text-muted",
    }
    assert "   not here: Viewers change nothing." in [row.text for row in rows]


def test_the_failure_stands_on_top():
    failure = Failure(
        exit="exit 137: out of memory",
        rank=3,
        where="bert-3-x8x on gpu-7",
        said="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB, 1 GiB is free",
        facts=("limit 64Gi, used 63.8Gi",),
    )
    found = Explanation(sentence="rank 3 was killed", failure=failure)
    job = make_job("bert", JobState.FAILED, reason="exit 137: out of memory")
    assert lines(found, job, below_failure="l opens its log") == [
        " rank 3 was killed",
        "",
        " How it failed",
        "   exit 137: out of memory",
        "   rank 3 failed first, bert-3-x8x on gpu-7 said:",
        "   │ torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB, 1",
        "   │ GiB is free",
        "   limit 64Gi, used 63.8Gi",
        "   l opens its log",
    ]


def test_when_it_is_likely_to_start_stands_with_the_queue():
    place = QueuePlace(
        queue="a", starts=StartRange(NOW + timedelta(days=1), NOW + timedelta(days=3)), requeue_at=NOW
    )
    job = make_job("bert", JobState.QUEUED, queue=place)
    shown = lines(Explanation(sentence="waits"), job)
    assert shown[2:4] == [" Queue", "   a"]
    assert shown[4].startswith("   not tried again before 30 Nov ")
    assert shown[5].startswith("   start: likely between tomorrow ")


@pytest.mark.parametrize("width", [20, 40, 79])
@pytest.mark.parametrize("letter", ["x", "漢"])
def test_no_line_is_wider_than_the_screen(width: int, letter: str):
    word = letter * 300
    cause = Cause(id="", sentence=f"a {word} b", object=word, since=NOW, raw=f"  {word}\n{word}")
    found = Explanation(
        sentence=word,
        chain=(cause,) * 4,
        offers=(Offer(id="", sentence=word, changes={"gpus": word}),),
        failure=Failure(exit=word, said=word, where=word, facts=(word,)),
        unknown=(word,),
    )
    view = View(2, frozenset({0, 3}), barred=word, below_offers=[changed_fields(JOB.spec, found.offers[0])])
    assert max(cell_len(row.text) for row in page(JOB, found, NOW, width, view)) <= width


def test_a_raw_text_without_end_is_cut():
    cause = Cause(id="", sentence="s", object="o", raw="line\n" * 5000)
    assert len(lines(Explanation(sentence="s", chain=(cause,)), unfolded=frozenset({0}))) < 300


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("", [""]),
        ("one two three", ["one two", "three"]),
        ("  one two", ["  one", "two"]),
        ("abcdefghijk", ["abcdefgh", "ijk"]),
        ("a abcdefghijk b", ["a", "abcdefgh", "ijk b"]),
        ("漢字漢字漢字", ["漢字漢字", "漢字"]),
    ],
)
def test_lines_break_between_words(text: str, broken: list[str]):
    assert wrap(text, 8) == broken

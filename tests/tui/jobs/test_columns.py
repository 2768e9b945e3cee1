"""What the settings make of the list: its columns, and its groups with their headings."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.job_order import Group, Order
from backend_client.models import JobState, JobUsage, Progress
from backend_client.text.job_cells import JOB_CELLS
from backend_client.text.sanitize import UNSAFE
from tests.support.hostile import TEXTS
from tests.support.scripted import ScriptedBackend, make_job, make_jobs
from tests.tui.support.deck import Deck, deck
from tui.jobs.columns import COLUMN_TABLE, column_cells, heading, layout, row
from tui.jobs.job_list import JobList
from tui.jobs.rows import Heading, Rows
from tui.settings.model import COLUMNS, ListSettings, Settings

BORN = datetime(2026, 1, 5, tzinfo=UTC)


def ours() -> ScriptedBackend:
    told = {
        "ant": ("ada", JobState.RUNNING),
        "bee": ("bob", JobState.QUEUED),
        "cat": ("ada", JobState.FAILED),
    }
    return ScriptedBackend(
        make_job(name, state, owner=owner, created=BORN) for name, (owner, state) in told.items()
    )


def body(running: Deck) -> list[str]:
    return [line.rstrip() for line in running.shown.split("\n\u2500")[0].splitlines()[1:]]


def test_columns_come_in_the_order_that_was_asked_for_as_far_as_they_fit():
    assert heading(layout(80, ("loss", "name", "owner"))).split() == ["LOSS", "NAME", "OWNER"]
    assert heading(layout(40, ("name", "progress", "age"))).split() == ["NAME", "AGE"]
    assert heading(layout(80, ())) == heading(layout(80, COLUMNS)) == heading(layout(80))


def test_the_columns_of_use_are_there_where_they_are_named_and_at_any_width_where_they_are_wanted():
    def titles(width: int, **more) -> list[str]:
        return heading(layout(width, **more)).split()

    assert "UTIL" not in titles(80) + titles(250)
    assert titles(79, usage=True) == "NAME STATE UTIL MEM GPUS AGE PROGRESS".split()
    assert titles(45, usage=True) == "NAME STATE UTIL MEM".split()
    assert "UTIL" not in titles(250, usage=False)
    assert titles(80, names=("name", "mem", "util")) == ["NAME", "MEM", "UTIL"]
    assert titles(80, names=("owner", "name"), usage=True) == ["OWNER", "UTIL", "MEM", "NAME"]


@pytest.mark.parametrize("width", [40, 79, 110, 200])
def test_the_cells_of_a_column_are_those_that_its_text_stands_in(width: int):
    columns = layout(width, usage=True)
    cells = column_cells(columns, "util")
    job = make_job(usage=JobUsage(gpu=0.82, gpu_min=0.0))
    assert "".join(row(job, columns, width))[cells.start : cells.stop].strip() == "82%↓0"
    assert heading(columns)[cells.start : cells.stop].strip() == "UTIL"
    assert not column_cells(layout(80), "util")


def test_what_nobody_told_of_use_is_empty():
    columns = layout(80, ("name", "util", "mem"))
    assert "".join(row(make_job(), columns, 80)).split() == ["bert-ft"]
    assert "".join(row(make_job(usage=JobUsage()), columns, 80)).split() == ["bert-ft"]


def test_every_cell_has_its_column():
    assert [column.cell for column in COLUMN_TABLE] == list(JOB_CELLS)


def test_the_settings_name_every_column_that_the_screen_has():
    assert set(COLUMNS) == {column.name for column in COLUMN_TABLE if column.width}
    assert len({column.name for column in COLUMN_TABLE}) == len(COLUMN_TABLE)
    assert [column.name for column in COLUMN_TABLE if column.verb == "always"][:2] == ["name", "state"]


def test_the_name_tells_the_namespace_where_all_are_shown():
    wanted = ("namespace", "name")
    assert [c.cell.title for c in layout(80, wanted, all_namespaces=True)] == ["NAME"]
    assert [c.cell.title for c in layout(80, wanted)] == ["NAMESPACE", "NAME"]


def test_progress_in_the_last_place_has_all_that_is_left():
    job = make_job(state=JobState.FAILED, reason="x" * 300)
    columns = layout(80, ("name", "progress"))
    assert cell_len("".join(row(job, columns, 80))) == 80
    job = make_job(progress=Progress(step=1, total=2, loss=0.5))
    assert "".join(row(job, layout(80, ("loss", "name", "progress")), 80)).split()[:2] == ["0.500", "bert-ft"]


@given(
    st.lists(st.sampled_from(COLUMNS), max_size=12),
    st.sampled_from(list(TEXTS.values())),
    st.integers(4, 300),
)
def test_no_choice_of_columns_is_wider_than_the_screen(wanted: list[str], text: str, width: int):
    for usage in (None, True, False):
        columns = layout(width, wanted, usage=usage)
        shown = "".join(row(make_job(text[:300], reason=text, owner=text), columns, width))
        assert max(cell_len(shown), cell_len(heading(columns))) <= max(width, 3)
    assert not UNSAFE.search(shown)


def test_a_loss_of_nan_stands_in_its_column():
    job = make_job(progress=Progress(step=1, total=2, loss="nan"))
    assert "".join(row(job, layout(80, ("loss", "name")), 80)).split()[:2] == ["nan", "bert-ft"]


@given(st.text(), st.text(), st.sampled_from([20, 80, 100, 120, 160, 200, 300]))
def test_a_row_is_as_wide_as_its_heading_whatever_it_is_called(name: str, reason: str, width: int):
    job = msgspec.structs.replace(make_job(state=JobState.FAILED, reason=reason), owner=name)
    job = msgspec.structs.replace(job, ref=msgspec.structs.replace(job.ref, name=name))
    columns = layout(width)
    text = "".join(row(job, columns, width, ">"))
    assert not UNSAFE.search(text)
    if width >= 80:
        assert max(cell_len(text), cell_len(heading(columns))) <= width


def test_groups_have_headings_and_keep_the_order_within():
    jobs = {job.ref.uid: job for job in ours().jobs.values()}
    rows = Rows(jobs, Group.OWNER)
    rows.rearrange(order=Order.NAME)
    assert rows.lines == [
        Heading((0, "ada"), ["uid-ant", "uid-cat"]),
        *("uid-ant", "uid-cat"),
        Heading((0, "bob"), ["uid-bee"]),
        "uid-bee",
    ]
    assert [rows.line(uid) for uid in rows.uids] == [1, 2, 4]
    rows.rearrange(group=Group.STATE)
    assert [line.title for line in rows.lines if isinstance(line, Heading)] == ["Failed", "Running", "Queued"]


async def test_the_settings_give_columns_and_groups(tmp_path: Path):
    shown = ListSettings(columns=("owner", "name", "state"), group="owner")
    async with deck(ours(), tmp_path=tmp_path, settings=Settings(list=shown)) as running:
        assert body(running) == [
            "   OWNER       NAME             STATE",
            "  - ada  2 jobs: 1 failed, 1 running",
            " > ada         cat              Failed",
            "   ada         ant              Running",
            "  - bob  1 job: 1 queued",
            "   bob         bee              Queued",
        ]


async def test_the_key_goes_through_the_groups_and_the_cursor_stays_on_its_job(tmp_path: Path):
    async with deck(ours(), tmp_path=tmp_path) as running:
        rows = running.app.screen.query_one(JobList)
        await running.press("end")
        assert rows.job.name == "bee"
        for words in ("- Queued  1 job", "- bob  1 job: 1 queued"):
            await running.press("O")
            await running.until(words)
            assert " > bee" in running.shown
        running.backend.change("uid-bee", owner="ada")
        await running.until("- ada  3 jobs: 1 failed, 1 running, 1 queued")
        assert " > bee" in running.shown
        await running.press("O")
        await running.until("- in no sweep  3 jobs")
        await running.press("O")
        await running.until(lambda: "3 jobs" not in running.shown)


async def test_headings_are_stepped_on_and_come_into_sight(tmp_path: Path):
    backend = ScriptedBackend(make_jobs(60))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("O", "end", "home")
        assert body(running)[1].startswith(" >- Failed  ")
        rows = running.app.screen.query_one(JobList)
        assert rows.job is None
        seen = []
        for line in rows.rows.lines[1:]:
            await running.press("j")
            seen += [rows.job.ref.uid] if rows.job else []
            assert rows.group is (None if rows.job else line)
        assert seen == rows.rows.uids
        assert any(line.startswith((" > ", "b> ")) for line in body(running))
        await running.press("home")
        await running.press("down", "up", "down")
        assert rows.job.ref.uid == seen[0]
        await running.pilot.click(JobList, offset=(5, 1))
        assert rows.group.title == "Failed"
        await running.pilot.click(JobList, offset=(5, 3))
        assert rows.job.ref.uid == seen[1]


async def test_a_hostile_owner_heads_a_group(tmp_path: Path):
    jobs = [
        make_job(f"j{n}", owner=text, created=BORN - timedelta(n)) for n, text in enumerate(TEXTS.values())
    ]
    shown = Settings(list=ListSettings(group="owner"))
    async with deck(ScriptedBackend(jobs), tmp_path=tmp_path, settings=shown) as running:
        await running.press("end")
        await running.quiet()
        assert not UNSAFE.search(running.shown.replace("\n", ""))


def test_a_reason_has_the_room_that_a_wide_screen_leaves():
    reason = "waits for 8 x H100: the largest free block is 5 on gpu-12"
    job = make_job(state=JobState.QUEUED, reason=reason)
    for width in (160, 200, 250):
        assert reason in "".join(row(job, layout(width), width))
    assert reason[:38] in "".join(row(job, layout(110), 110))

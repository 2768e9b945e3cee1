"""Log lines as HTML, and the events of a log's stream."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.web.log.html import LineHtml, LineNames, parse_name
from backend.web.log.part import SHOWN
from backend.web.log.place import Place, parse_place
from backend.web.log.stream import log_frames
from backend_client.errors import Invalid
from backend_client.logs import LogBuffer, Search
from backend_client.logs.shown_line import LONGEST
from backend_client.logs.text import sanitize_line
from backend_client.protocol import Lines, LogSource, Opened
from tests.backend.support.visitor import parse
from tests.support.hostile import TEXTS

SOURCE = LogSource(1)
HOSTILE = [
    b"<script>alert(1)</script><img src=x onerror=alert(1)>",
    b"</div></span>&lt;&#60;\"' a=b",
    b"\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\ javascript:alert(1)",
    b"a\x1b]52;c;aGVsbG8=\x07b \x1b[2J\x1b[31m<b>red",
    "abc\u202edef\u2066ghi\u2069 a\u200bb\ufeffc".encode(),
    b"a\x00b\x07\x08\x7fc \xff\xfe",
    b"x" * 3_000,
    b'\x1b[1mhttps://a.org/\x1b[0m<b>?x=1&y="2" https://"onclick=1',
]
ALLOWED = {
    "div": {"class", "id"},
    "span": {"class"},
    "mark": set(),
    "a": {"class", "href", "rel", "tabindex", "aria-label"},
}


def rendered(raw, search=None):
    buffer = LogBuffer()
    buffer.append([Lines(source=SOURCE, lines=[raw], times=[10**18])])
    (line,) = buffer.lines(0, 1)
    name = LineNames().name(line)
    html = LineHtml("/jobs/a/log?uid=u&amp;at=", search=search)
    spans = search.spans(line.text[:LONGEST]) if search else ()
    return parse(html.line(line, name, spans)).one("div", id=name)


def check(element):
    for part in (element, *element.all()):
        assert set(part.attributes) <= ALLOWED[part.tag]
        if part.tag == "a" and part["class"] != "no":
            assert part["href"].startswith(("http://", "https://"))
            assert part["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize(
    "raw", [*HOSTILE, *(text.encode("utf-8", "surrogatepass") for text in TEXTS.values())]
)
def test_hostile_lines_are_text(raw):
    check(rendered(raw.replace(b"\n", b"")))


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [*HOSTILE, b"\x1b[38;5;200m", b"\x1b[7;41m", b"http://a.b/", b"\r", b"\t", b"\x1b[0m"]
            ),
            st.binary(max_size=20),
            st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
        ),
        max_size=12,
    ),
    st.sampled_from(["", "a", "<", "/[a-z]+:/"]),
)
def test_the_text_of_a_line_is_what_the_terminal_shows(parts, typed):
    raw = b"".join(parts).replace(b"\n", b"")
    search = Search.parse(typed) if typed else None
    element = rendered(raw, search)
    text = sanitize_line(raw)[0]
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} … +{len(text) - LONGEST:,}"
    assert element.raw_text == cut
    check(element)


def test_colours_are_classes_and_links_are_whole_where_the_colour_changes():
    element = rendered(
        b"\x1b[1;31mbad\x1b[0m \x1b[7mx\x1b[0m \x1b[38;5;196;48;2;1;1;1my\x1b[0m http://a.b/\x1b[32mc?d=1&e.\x1b[0m"
    )
    assert [span["class"] for span in element.all("span")] == ["b c1", "r", "c1 g0", "c2", "c2"]
    links = element.all("a", rel="noopener noreferrer nofollow")
    assert {link["href"] for link in links} == {"http://a.b/c?d=1&e"}


def test_names_are_those_of_the_lines_wherever_the_reading_began():
    lines = [b"same", b"same", b"other"]
    buffer = LogBuffer()
    buffer.append([Lines(source=LogSource(3, 7), lines=lines, times=[1_500_000_000] * 3)])
    names = [LineNames().name(line) for line in buffer.lines(0, 3)]
    assert names[0] == names[1] != names[2]
    once = LineNames()
    assert len({once.name(line) for line in buffer.lines(0, 3)}) == 3
    parsed = parse_name(names[2])
    assert (parsed.rank, parsed.attempt, parsed.time) == (7, 3, 1500)
    for none in ("", "L1.2", "L1.1.1.zzzzzzzz", names[0] + '"><b>'):
        assert parse_name(none) is None


class Page:
    """What stands in a page: lines, those that are not written to their end, and where it goes on."""

    def __init__(self):
        self.lines, self.open, self.place = [], [], ""

    def take(self, frames):
        for block in frames.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if fields.get("event") == "lines":
                data = json.loads(fields["data"])
                self.lines += [line.raw_text for line in parse(data["html"]).all("div")]
                self.open = [line.raw_text for line in parse(data["open"]).all("div")]
                self.place = fields["id"]


def batches_of(parts):
    """The batches of a log that was written in these parts, each with its cursor."""
    made, is_open = [[Opened(LogSource(2, where="n1"))]], False
    source = LogSource(2, where="n1")
    for number, part in enumerate(parts):
        lines = part.split(b"\n")
        ends = not lines[-1]
        lines = lines[:-1] if ends else lines
        batch = Lines(
            source=source,
            lines=lines,
            times=[10**18 + number] * len(lines),
            continues=is_open,
            open=not ends,
            cursor=str(number + 1),
        )
        is_open = not ends
        made.append([batch])
    return made


@given(
    st.lists(
        st.sampled_from([b"a", b"b\n", b"c\nd", b"50%\r", b"\r60%", b"\n", b"e\nf\n"]),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 12),
)
async def test_a_stream_that_is_opened_again_loses_and_doubles_nothing(parts, cut):
    batches = batches_of(parts)
    page = Page()
    for some in (batches[:cut], batches[cut:]):

        async def source(some=some):
            for batch in some:
                yield batch

        place = parse_place(page.place)
        assert place.cursor == "" or int(place.cursor) == min(cut, len(batches)) - 1
        async for frames in log_frames(source(), place, LineHtml("/log?at=")):
            page.take(frames)
    whole = LogBuffer()
    for batch in batches:
        whole.append(batch)
    assert page.lines == [
        f"-- {line.text} --" if line.notice else line.text for line in whole.lines(0, whole.closed)
    ]
    assert page.open == [line.text for line in whole.lines(whole.closed, whole.end)]


async def test_a_flood_is_shown_from_its_end_and_what_is_left_out_is_counted():
    async def source():
        for number in range(30):
            lines = [b"x"] * 1_000
            yield [Lines(source=SOURCE, lines=lines, times=[number + 1] * 1_000, cursor=str(number))]

    page, most = Page(), 0
    async for frames in log_frames(source(), Place(), LineHtml("/log?at=")):
        before = len(page.lines)
        page.take(frames)
        most = max(most, len(page.lines) - before)
    notices = [line for line in page.lines if line.startswith("-- ")]
    left_out = sum(int(line.split()[1].replace(",", "")) for line in notices)
    assert most <= SHOWN + 1
    assert len(page.lines) - len(notices) + left_out == 30_000


def test_a_place_that_is_none_is_refused():
    for text in ("!", "AAAA", "ä"):
        with pytest.raises(Invalid):
            parse_place(text)

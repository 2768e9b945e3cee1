"""The text of a scrape, by what promtool makes of it, and by what a reader gets back out of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.metrics.text_format import Family, Sample, number, render
from tests.backend.support.prometheus import promtool

_LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\n"])*)"')
_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


def read_back(line):
    """Return the labels of a line as the format's own rules say."""
    return {name: re.sub(r"\\.", lambda m: _ESCAPES[m[0]], value) for name, value in _LABEL.findall(line)}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_label_comes_back(value):
    text = render([Family("a_b", "gauge", "Help.", [Sample(1, {"owner": value})])]).decode()
    head, line, rest = text.split("\n# TYPE a_b gauge\n", 1)[0], *text.split("gauge\n", 1)[1].split("\n", 1)
    assert (head, rest) == ("# HELP a_b Help.", "")
    assert read_back(line) == {"owner": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (True, "1"),
        (1.5, "1.5"),
        (-2.0, "-2"),
        (2.0**60, repr(2.0**60)),
        (1e-9, "1e-09"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_figures_are_written_as_go_reads_them(value, text):
    assert number(value) == text
    assert str(float(text)) == str(float(value))


def test_promtool_takes_it_with_names_that_nobody_should_have():
    hostile = ['a"b', "back\\slash", "new\nline", "\x1b[2J", "", "ümläut", "{x}", "half \ud800"]
    families = [
        Family(
            "t_jobs", "gauge", 'Of "all"\nkinds \\ sorts.', [Sample(1, {"owner": name}) for name in hostile]
        ),
        Family("t_empty", "gauge", "Nothing."),
        Family(
            "t_wait_seconds",
            "histogram",
            "Waits.",
            [
                Sample(1, {"le": "0.5"}, "_bucket"),
                Sample(2, {"le": "+Inf"}, "_bucket"),
                Sample(3.25, suffix="_sum"),
                Sample(2, suffix="_count"),
            ],
        ),
    ]
    assert promtool("check", "metrics", text=render(families)) == (0, "")


def test_promtool_refuses_what_is_wrong():
    """So the test above can fail."""
    assert promtool("check", "metrics", text=b'a{b="c"d"} 1\n')[0] != 0

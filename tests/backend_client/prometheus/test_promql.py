"""Label matchers: whatever a name holds, it matches itself alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.prometheus.promql import equals, one_of, quote_re2, quote_text


@given(st.text())
def test_a_quoted_name_is_the_pattern_of_itself_alone(name):
    assert re.fullmatch(quote_re2(name), name, re.DOTALL)
    assert name == "" or not re.fullmatch(quote_re2(name), name + "x", re.DOTALL)


@given(st.text(), st.text())
def test_a_quoted_name_matches_no_other(name, other):
    assert (re.fullmatch(quote_re2(name), other, re.DOTALL) is not None) == (name == other)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a", '"a"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb", r'"a\nb"'),
        ('"} or up{x="', r'"\"} or up{x=\""'),
    ],
)
def test_a_text_never_ends_its_string(text, quoted):
    assert quote_text(text) == quoted


@pytest.mark.parametrize(
    ("values", "matcher"),
    [
        ([], 'pod!=""'),
        (["job-1-x"], 'pod="job-1-x"'),
        (["b", "a", "b"], 'pod=~"a|b"'),
        (["a.b", "c"], r'pod=~"a\\.b|c"'),
        (["a|b", "c"], r'pod=~"a\\|b|c"'),
    ],
)
def test_the_matcher_of_some_names(values, matcher):
    assert one_of("pod", values) == matcher


def test_one_value_is_no_pattern():
    assert equals("pod", "a.b") == 'pod="a.b"'

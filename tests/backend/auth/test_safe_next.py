"""No link to the login leads to another server after it."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.auth.safe_next import safe_next


@pytest.mark.parametrize(
    "text", ["/", "/jobs/bert-ft?cluster=C&uid=U#log", "/jobs/ä", "/a//b", "/a b", "/http://x"]
)
def test_a_path_of_ours_is_kept(text):
    assert safe_next(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "jobs", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/a\\b"),
        *("https://evil.example", "https:evil.example", "javascript:alert(1)", " /jobs", "?next=/", "#a"),
        *("/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r\nSet-Cookie: a=b", "/\0", "/\x7f"),
        *("/\x85", "/\u2028", "/\u202egnp.exe", "/\ud800", "/\u200b/evil.example"),
    ],
)
def test_all_else_leads_to_the_start(text):
    assert safe_next(text) == "/"


@given(
    st.lists(st.sampled_from([*"/\\\t\r\n:@?#.a%", "//", "http:", "evil.example"]), max_size=8).map("".join)
)
def test_a_browser_stays_here(text):
    seen = safe_next(text).translate(dict.fromkeys(map(ord, "\t\r\n"))).replace("\\", "/")
    assert urlsplit(urljoin("https://host/login", seen)).netloc == "host"
    assert safe_next(safe_next(text)) == safe_next(text)

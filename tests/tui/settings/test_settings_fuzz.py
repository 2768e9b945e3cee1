"""Whatever stands in the files and variables, the program starts, and says what it left out."""

import os
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.settings.loaded import LoadedSettings
from tui.settings.loader import load
from tui.settings.paths import user_file

NAMES = [
    "read_only",
    "theme",
    "keys",
    "stop",
    "local",
    "gpus",
    "grace",
    "log",
    "buffer",
    "templates",
    "env",
    "command",
    "site",
    "server",
    "x y",
    "",
]
VALUES = [
    "true",
    "3",
    "-1",
    "inf",
    "nan",
    '"x"',
    '""',
    "[]",
    "[{}]",
    "{}",
    "{gpus = 1}",
    "{a = {b = 1}}",
    "1979-05-27",
]

keys = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(
    lambda parts: ".".join(part if part.isidentifier() else f'"{part}"' for part in parts)
)
lines = st.one_of(
    st.tuples(keys, st.sampled_from(VALUES)).map(" = ".join),
    keys.map(lambda key: f"[{key}]"),
    st.text(max_size=8),
)
files = st.lists(lines, max_size=5).map("\n".join)
variables = st.dictionaries(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(
        lambda parts: f"TRAINDECK_{'__'.join(parts)}".upper()
    ),
    st.one_of(
        st.sampled_from(VALUES), st.just('{"gpus": {"a": 1}}'), st.text('ab{}[]"\x1b\u202e', max_size=5)
    ),
    max_size=2,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(files, files, variables)
def test_it_always_starts(tmp_path, mine, site, env):
    homes = {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("CONFIG", "CACHE")}
    with patch.dict(os.environ, homes | env, clear=True):
        user_file().parent.mkdir(exist_ok=True)
        user_file().write_text(mine, encoding="utf-8", errors="replace")
        (tmp_path / "site.toml").write_text(site, encoding="utf-8", errors="replace")
        first = load("1", tmp_path / "site.toml")
        assert isinstance(first, LoadedSettings)
        assert load("1", tmp_path / "site.toml") == first
        assert all(warning.isprintable() for warning in first.warnings)

"""What the tree itself must hold: no addresses, no lock files of others, no stale generated parts."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.readme import MAN, README, rendered
from tui.cli.man import page
from tui.version import __version__

ROOT = Path(__file__).parent.parent


def tracked(*patterns: str) -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in names.split("\0") if name]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@pytest.fixture(autouse=True)
def in_a_checkout():
    if not (ROOT / ".git").exists():
        pytest.fail("these tests read the git checkout; run them in a clone")


def test_no_lock_file_of_a_package_manager():
    assert not [p for p in tracked() if p.name in {"uv.lock", "package-lock.json", "poetry.lock"}]


def test_the_lock_pins_with_hashes_and_names_no_registry():
    lock = text_of(ROOT / "requirements.lock")
    pins = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert len(pins) > 20
    assert len(re.findall(r"^[a-z0-9-]+==.*\\\n    --hash=", lock, re.MULTILINE)) == len(pins)
    assert not re.search(r"https?://|--index|--find-links|--extra", lock)


def test_pictures_carry_no_font_addresses():
    pictures = tracked("*.svg", "*.raw")
    assert not [p for p in pictures if re.search(r"@font-face|woff|url\(.?http", text_of(p))]


def test_the_version_stands_once():
    assert f'\nversion = "{__version__}"\n' in text_of(ROOT / "pyproject.toml")


def test_the_generated_parts_of_the_readme_are_fresh():
    text = text_of(README)
    assert rendered(text) == text, "make readme"


def test_the_man_page_is_fresh():
    assert text_of(MAN) == f"{page()}\n", "make readme"

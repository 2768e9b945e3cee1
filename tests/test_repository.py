"""What the tree itself must hold: no addresses, no lock files of others, no stale generated parts."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from docs.generate import pages
from tui.version import __version__

ROOT = Path(__file__).parent.parent
NO_VERBS = frozenset(
    "what whether where how who why when which the a an its it all every each no none as of one only "
    "same this that these those here there true false another if in on with without from to by at for "
    "more other nobody everybody something everything nothing anything two several many most newest "
    "seconds bytes names".split()
)
"""Words that a docstring of a function may not begin with: it says what the function does."""


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


def test_the_generated_pages_are_fresh():
    stale = [str(file.relative_to(ROOT)) for file, text in pages().items() if text_of(file) != text]
    assert not stale, "make docs"


def test_no_other_page_lies_among_the_generated_ones():
    generated = {file for file in pages() if file.parent.name == "reference"}
    assert generated == set(tracked("docs/reference/*"))


def anchors(text: str) -> set[str]:
    """What a link may have behind its #: every heading, as GitHub writes it."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """The links of a page into this tree that lead nowhere."""
    wrong = []
    for name, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text_of(path)):
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(text_of(file))):
            wrong.append(f"{path.name}: {name}#{anchor}")
    return wrong


def test_what_the_documents_link_to_is_there():
    assert [link for path in tracked("*.md") for link in broken_links(path)] == []


def test_the_files_that_the_documents_name_are_there():
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    named = re.compile(rf"`((?:{'|'.join(sorted(folders))})/[\w./-]*)`")
    found = {(path.name, name) for path in tracked("*.md") for name in named.findall(text_of(path))}
    assert [place for place in sorted(found) if not (ROOT / place[1]).exists()] == []


def test_every_module_is_on_the_map():
    text = text_of(ROOT / "docs" / "ARCHITECTURE.md")
    rows = re.findall(r"^\| `([\w/]+)/` \| (.+) \|$", text, re.MULTILINE)
    named = {f"{folder}/{name}.py" for folder, words in rows for name in re.findall(r"`(\w+)`", words)}
    modules = {str(path.relative_to(ROOT)) for path in tracked("tui/*.py", "backend*/*.py")}
    assert [name for name in sorted(modules - named) if not name.endswith("__init__.py")] == []


def test_the_facts_that_the_code_cites_are_there():
    headings = re.findall(r"^## (.+)$", text_of(ROOT / "docs" / "FACTS.md"), re.MULTILINE)
    cited = re.compile(r'FACTS\.md,\s+"([^"]+)"')
    found = {(path.name, name) for path in tracked("*.py", "*.md") for name in cited.findall(text_of(path))}
    assert [place for place in sorted(found) if place[1] not in headings] == []


def functions_without_a_verb(path: Path) -> Iterator[str]:
    """Yield the public functions whose docstring begins with something else."""
    for node in ast.walk(ast.parse(text_of(path))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_property(node):
            continue
        words = (ast.get_docstring(node) or "").split()
        if words and not node.name.startswith("_") and words[0].lower().strip("`(*:,.") in NO_VERBS:
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {' '.join(words[:8])}"


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {name.id for part in node.decorator_list for name in ast.walk(part) if isinstance(name, ast.Name)}
    return bool(names & {"property", "cached_property"})


def test_docstrings_of_functions_begin_with_a_verb():
    """The docstrings of routes are the descriptions of the API document."""
    modules = tracked("tui/*.py", "backend*/*.py", "benchmarks/*.py")
    described = [path for path in modules if ROOT / "backend" / "routes" not in path.parents]
    assert [line for path in described for line in functions_without_a_verb(path)] == []


def test_no_property_is_false_for_a_busy_machine():
    """Hypothesis has limits of time: tests/conftest.py takes them away, for every test and once."""
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    own = [path.name for path in files if "deadline=" in path.read_text()]
    assert own == []

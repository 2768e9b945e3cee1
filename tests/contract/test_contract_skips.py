"""A case is left out for a missing Feature alone."""

import ast
from pathlib import Path

WAYS = {"skip", "skipif", "xfail", "importorskip", "skipTest"}


def test_no_other_skip_exists():
    found = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = (
                node.attr
                if isinstance(node, ast.Attribute)
                else node.id
                if isinstance(node, ast.Name)
                else ""
            )
            if name in WAYS:
                found.append(path.name)
    assert found == ["harness.py"]

"""The example that a first start offers: it trains, it can be stopped, and it is found."""

import re
import shlex
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from backend_client import example
from backend_client.example import example_command, example_path
from tests.support.wait import PATIENCE

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"step (\d+)/(\d+) loss (\d+\.\d+) acc (\d\.\d+) (\d+\.\d) it/s")


def losses(output: str) -> list[float]:
    return [float(match[3]) for match in LINE.finditer(output)]


def train(*options: str) -> str:
    command = [*shlex.split(example_command()), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


def test_the_loss_falls_and_the_same_seed_gives_the_same():
    first, again = (train("--steps", "30", "--hidden", "8") for _ in range(2))
    assert losses(first) == losses(again)
    assert losses(first)[0] > 1.2 * losses(first)[-1]
    assert "done: accuracy" in first


def test_sigterm_is_a_last_line_and_143():
    with subprocess.Popen(
        [sys.executable, example_path()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("step"))
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE)
    assert rest.endswith("asked to stop; nothing is saved\n")
    assert (process.returncode, errors) == (143, "")


def test_a_wheel_has_it_where_example_path_looks_and_a_man_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    monkeypatch.setattr(example, "__file__", str(tmp_path / "backend_client" / "example.py"))
    assert example_path() == tmp_path / "backend_client" / "examples" / "train.py"
    assert example_path().read_text() == (ROOT / "examples" / "train.py").read_text()
    assert list(tmp_path.glob("*.data/data/share/man/man1/traindeck.1"))
    scripts = {path.name: path.read_bytes() for path in tmp_path.glob("*.data/scripts/*")}
    assert scripts.keys() == {"traindeck", "kubectl-traindeck"}
    assert all(script.startswith(b"#!python\n") for script in scripts.values())

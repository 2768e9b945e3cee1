"""A folder of a person's own work, with modules of our names: none of them is ever imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = (
    "tui backend backend_client re types enum argparse asyncio msgspec httpx h11 yaml textual uvicorn attr h2"
)


@pytest.fixture(params=["module", "package"])
def own_work(request, tmp_path: Path) -> Path:
    for name in NAMES.split():
        file = tmp_path / (f"{name}.py" if request.param == "module" else f"{name}/__init__.py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"raise SystemExit('{name} replaces ours')\n")
    return tmp_path


INSTALLED = f"""
import os, sys
others = [path for path in sys.path if os.path.exists(path + "/tui/cli/program.py")]
sys.path[:] = [path for path in sys.path if path not in others] + [{str(ROOT)!r}]
__file__ = sys.argv.pop(1)
exec(compile(open(__file__).read(), __file__, "exec"))
"""
"""Runs the script of the program as if this tree, and no other, were installed."""


@pytest.fixture(params=["traindeck", "kubectl-traindeck"])
def traindeck(request, own_work: Path, tmp_path: Path):
    def run(*words: str, pythonpath: str = ".") -> subprocess.CompletedProcess[str]:
        homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("STATE", "CONFIG", "CACHE")}
        return subprocess.run(
            [sys.executable, "-P", "-c", INSTALLED, ROOT / "deploy/bin" / request.param, *words],
            cwd=own_work,
            env={**os.environ, **homes, "PYTHONPATH": pythonpath, "TRAINDECK_TOKEN": "td_x"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_no_module_of_pythonpath_replaces_ours(traindeck):
    for pythonpath in (".", "", "/nowhere:."):
        done = traindeck("config", pythonpath=pythonpath)
        assert "replaces ours" not in done.stdout + done.stderr
        assert "site.server" in done.stdout, done.stderr
    assert traindeck("--context", "http://127.0.0.1:1", "jobs").returncode == 4


def test_a_job_has_pythonpath_as_it_was(traindeck):
    done = traindeck("submit", "--follow", "--name", "a", "--", "sh", "-c", "echo is $PYTHONPATH")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "is .\n"


def test_a_server_starts_with_its_own_modules(traindeck):
    done = traindeck("serve", "--listen", "nonsense")
    assert "nonsense is no address" in done.stderr


def test_the_folder_of_a_module_is_no_place_to_import_from(own_work: Path):
    code = "from tui.own_modules import leave_pythonpath; leave_pythonpath(); import h2"
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}."}
    (own_work / "tui.py").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=own_work, env=env, capture_output=True, text=True, check=False
    )
    assert "No module named 'h2'" in done.stderr

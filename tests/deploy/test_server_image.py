"""What runs a server in production, as far as it can be tried without the engine that would."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend_client.kubernetes.support.controlplane import free_port
from tests.backend_client.server.support.certificates import authority
from tests.deploy.support.dockerfile import read
from tests.support.wait import until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = read(DEPLOY / "server.Dockerfile")
PROGRAM = str(Path(sys.executable).with_name("traindeck"))


def lines(word: str) -> list[str]:
    """All that stands behind an instruction, of every stage."""
    return [rest for name, rest in DOCKERFILE if name == word]


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def test_its_lock_is_a_part_of_the_whole_one_with_hashes():
    lock = DEPLOY / "requirements.lock"
    text, mine, all_ = lock.read_text(), pins(lock), pins(ROOT / "requirements.lock")
    assert mine.items() <= all_.items()
    assert {"fastapi", "uvicorn", "sqlalchemy", "hatchling"} <= mine.keys()
    assert not {"pytest", "mypy"} & mine.keys()
    assert len(re.findall(r"^[a-z0-9-]+==.*\\\n    --hash=", text, re.MULTILINE)) == len(mine)
    assert not re.search(r"https?://|--index|--find-links", text)


def test_what_it_copies_is_in_the_checkout_and_in_the_context():
    ignored = (ROOT / ".dockerignore").read_text().split()
    for rest in lines("COPY"):
        if not rest.startswith("--from="):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source.split('/')[0]}" in ignored


def test_it_is_not_root_and_takes_only_what_the_lock_names():
    assert lines("USER") == ["10001:10001"]
    assert f"uid {lines('USER')[0].split(':')[0]} " in " ".join(lines("RUN"))
    installs = [rest for rest in lines("RUN") if " install " in rest and "pip" in rest]
    assert installs
    assert all("--require-hashes" in rest or "--no-deps" in rest for rest in installs)


@contextlib.contextmanager
def served(folder: Path, port: int, **more: str) -> Iterator[None]:
    """The image's own CMD, with its settings, but for a folder and a port of the test."""
    given = dict(pair.split("=", 1) for pair in lines("ENV")[0].split() if "SERVER" in pair)
    env = {"PATH": os.environ["PATH"], **given, **more}
    env |= {"TRAINDECK_SERVER_FOLDER": str(folder), "TRAINDECK_SERVER_LISTEN": f"127.0.0.1:{port}"}
    command = lines("CMD")[0].strip("[]").replace('"', "").split(", ")
    with subprocess.Popen([PROGRAM, *command[1:]], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(20) == 0


def healthy(port: int) -> bool:
    """What HEALTHCHECK says."""
    env = {"TRAINDECK_SERVER_LISTEN": f"0.0.0.0:{port}"}
    return subprocess.run([sys.executable, DEPLOY / "healthy.py"], check=False, env=env).returncode == 0


@pytest.mark.parametrize("tls", [False, True])
def test_its_healthcheck_tells_a_living_server_from_a_dead_one(tmp_path: Path, tls: bool):
    port = free_port()
    assert not healthy(port)
    key = {"TLS_CERT": str(authority(tmp_path)), "TLS_KEY": str(tmp_path / "key.pem")}
    more = {f"TRAINDECK_SERVER_{name}": value for name, value in key.items()} if tls else {}
    with served(tmp_path / "server", port, **more):
        until(lambda: healthy(port), 90)
    assert not healthy(port)


def test_systemd_takes_the_unit(tmp_path: Path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze (Debian, Ubuntu: apt install systemd)")
    unit = (DEPLOY / "traindeck.service").read_text()
    assert "ExecStart=/opt/traindeck/bin/traindeck serve\n" in unit
    place = tmp_path / "traindeck.service"
    place.write_text(unit.replace("/opt/traindeck/bin/traindeck", PROGRAM))
    verify = ["systemd-analyze", "verify", "--man=no", place]
    assert subprocess.run(verify, check=True, capture_output=True).stderr == b""
    judged = ["systemd-analyze", "security", "--offline=true", "--threshold=20", place]
    subprocess.run(judged, check=True, capture_output=True)

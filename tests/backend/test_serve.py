"""`traindeck serve` as a process: where it listens, what it refuses, and how it ends."""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from backend.listening import check_exposure, host_port
from backend.settings import ServerSettings, server_settings, unknown_variables
from backend_client.errors import Invalid, Refused
from tests.backend.conftest import PASSWORD

QUICK = {"TRAINDECK_SERVER_ARGON2_MEMORY": "64", "TRAINDECK_SERVER_ARGON2_TIME": "1"}
ADMIN = {"TRAINDECK_SERVER_ADMIN_USER": "root", "TRAINDECK_SERVER_ADMIN_PASSWORD": PASSWORD}
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 2 "
    "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
)


class Serving:
    """A server that runs, and what it has said."""

    def __init__(self, folder, *words, **env):
        self.out = (folder / "out").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui", "serve", "--folder", str(folder / "server"), *words],
            stdout=self.out,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **QUICK, **ADMIN, **env},
        )
        self.where = ""

    def __enter__(self):
        for line in self.process.stderr:
            if found := re.search(r"serves at (\S+)", line):
                self.where = found[1]
                return self
        raise AssertionError(f"it ended: {self.process.wait()}")

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.out.close()

    def end(self, sign=signal.SIGTERM):
        """End it; return its exit code, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(sign)
        return self.process.wait(60), time.monotonic() - began

    def log(self):
        """What it has said; read from the file anew, as it shares the place in this one."""
        with open(self.out.name) as out:
            return [json.loads(line) for line in out if line.endswith("\n")]


def refused(folder, *words, **env):
    """Return what a server says that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", "serve", "--folder", str(folder / "server"), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **QUICK, **ADMIN, **env},
    )
    assert done.returncode in (1, 2, 4), done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


async def log_in(client):
    answer = await client.post("/api/auth/login", json={"user": "root", "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_it_answers_ends_and_keeps_its_secrets(tmp_path):
    with Serving(tmp_path, "--listen", "127.0.0.1:0") as server:
        answer = httpx.post(f"{server.where}/api/auth/login", json={"user": "root", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert httpx.get(f"{server.where}/api/auth/me?token=geheim", headers=headers).status_code == 200
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0", limits)
        assert server.end() == (0, pytest.approx(0, abs=20))
        log = server.log()
    said = [line for line in log if line["message"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in said] == [
        ("POST", "/api/auth/login", 200),
        ("GET", "/api/auth/me", 200),
    ]
    assert not re.search(r"td_|geheim|battery", json.dumps(log))
    modes = {
        path.name: path.stat().st_mode & 0o077
        for path in [tmp_path / "server", *(tmp_path / "server").iterdir()]
    }
    assert set(modes.values()) == {0}, modes


def test_a_unix_socket_is_for_its_owner_and_replaces_a_dead_one(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Serving(tmp_path, "--socket", str(path)) as server:
        assert path.stat().st_mode & 0o777 == 0o600
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            assert client.get("/readyz").json()["status"] == "ok"
        (tmp_path / "other").mkdir()
        assert "Another server" in refused(tmp_path / "other", "--socket", str(path))
        assert "Another process" in refused(tmp_path, "--listen", "127.0.0.1:0")
        assert server.end()[0] == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("flags", "proxies", "seen"),
    [
        ([], '["127.0.0.1"]', "127.0.0.1"),
        (["--behind-proxy"], "[]", "127.0.0.1"),
        (["--behind-proxy"], '["127.0.0.1"]', "192.0.2.7"),
        (["--behind-proxy"], '["10.0.0.0/8"]', "127.0.0.1"),
        (["--behind-proxy", "--trusted-proxy", "127.0.0.0/8"], "[]", "192.0.2.7"),
    ],
)
def test_only_a_known_proxy_names_the_client(tmp_path, flags, proxies, seen):
    with Serving(tmp_path, "--listen", "127.0.0.1:0", *flags, TRAINDECK_SERVER_PROXIES=proxies) as server:
        httpx.get(f"{server.where}/api/server", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7"})
        assert server.end()[0] == 0
        assert [line["address"] for line in server.log() if line["message"] == "request"] == [seen]


def test_tls(tmp_path):
    subprocess.run(shlex.split(CERTIFICATE), cwd=tmp_path, check=True, capture_output=True)
    files = ["--tls-cert", str(tmp_path / "cert"), "--tls-key", str(tmp_path / "key")]
    with Serving(tmp_path, "--listen", "0.0.0.0:0", *files) as server:
        port = server.where.rpartition(":")[2]
        trust = ssl.create_default_context(cafile=str(tmp_path / "cert"))
        assert httpx.get(f"https://localhost:{port}/livez", verify=trust).status_code == 200
    assert "TLS" in refused(tmp_path, "--tls-cert", files[1], "--tls-key", files[1])


def test_what_it_refuses_to_do(tmp_path):
    assert "readable" in refused(tmp_path, "--listen", "0.0.0.0:0")
    assert "geheim" not in refused(tmp_path, "--database", "postgresql://u:geheim@h/d")
    assert "does not answer" in refused(tmp_path, "--database", f"postgresql://u@/d?host={tmp_path}")
    wrong = refused(tmp_path, TRAINDECK_SERVER_RATE="quick", TRAINDECK_SERVER_SECRET_KEY="geheim")
    assert "rate" in wrong
    assert "geheim" not in wrong
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "cannot listen" in refused(tmp_path, "--listen", f"127.0.0.1:{port}")


@pytest.mark.parametrize("near", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.8.8.8:1"])
def test_loopback_needs_no_tls(near):
    check_exposure(ServerSettings(listen=near))


@pytest.mark.parametrize("far", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "gpu-login:1"])
def test_elsewhere_tls_or_a_proxy_is_needed(far):
    with pytest.raises(Refused):
        check_exposure(ServerSettings(listen=far))
    check_exposure(ServerSettings(listen=far, behind_proxy=True))
    with pytest.raises(Refused, match="one person"):
        check_exposure(ServerSettings(listen=far, behind_proxy=True, local=True))


@pytest.mark.parametrize("wrong", ["", "8642", ":8642", "host:", "host:x", "host:70000"])
def test_what_is_no_address(wrong):
    with pytest.raises(Refused):
        host_port(wrong)


def test_settings_come_from_flags_environment_and_file(tmp_path, monkeypatch):
    file = tmp_path / "server.toml"
    file.write_text('listen = "[::1]:1"\nmax_jobs = 7\nregistration = "open"\n')
    monkeypatch.setenv("TRAINDECK_SERVER_CONFIG", str(file))
    monkeypatch.setenv("TRAINDECK_SERVER_MAX_JOBS", "8")
    found = server_settings({"listen": "127.0.0.1:2"})
    assert (found.listen, found.max_jobs, found.registration) == ("127.0.0.1:2", 8, "open")
    file.write_text("listen = ")
    with pytest.raises(Refused):
        server_settings({})
    file.write_text('registration = "perhaps"')
    with pytest.raises(Invalid):
        server_settings({})
    file.write_text('registation = "open"')
    with pytest.raises(Invalid, match="registation: there is no such setting; did you mean registration"):
        server_settings({})


def test_misspelt_variables_are_named(monkeypatch):
    monkeypatch.setenv("TRAINDECK_SERVER_CONFIG", "/nowhere")
    monkeypatch.setenv("TRAINDECK_SERVER_FOLDR", "secret")
    told = ["TRAINDECK_SERVER_FOLDR is ignored: there is no such setting; did you mean folder?"]
    assert unknown_variables() == told


async def test_two_hundred_open_streams_end_with_a_farewell(tmp_path):
    """The figure of `make bench`: the process is gone within 3 s, and each stream was told."""
    with Serving(tmp_path, "--listen", "127.0.0.1:0") as server:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=server.where, limits=limits, timeout=60) as client:
            headers = await log_in(client)
            opened = asyncio.Queue()
            readers = [asyncio.create_task(read(client, headers, opened)) for _ in range(200)]
            for _ in readers:
                await asyncio.wait_for(opened.get(), 60)
            code, seconds = await asyncio.to_thread(server.end)
            ends = await asyncio.gather(*readers)
    assert (code, seconds) == (0, pytest.approx(0, abs=20))
    assert all('"login":false' in end for end in ends)


async def read(client, headers, opened):
    """Read the last event of a watch."""
    async with client.stream("GET", "/api/watch", headers=headers) as answer:
        assert answer.status_code == 200
        last, event = "", ""
        async for line in answer.aiter_lines():
            if line.startswith("event:"):
                event = line
                opened.put_nowait(None) if event == "event: synced" else None
            elif line.startswith("data:") and event == "event: bye":
                last = line
        return last

"""How a server starts: where it listens, and one sentence for each thing that is wrong there."""

import datetime as dt
import errno
import os
import signal
import socket
import ssl
import subprocess

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backend.certificates import Certificate
from backend.listening import check_exposure, listen, public_address, socket_path
from backend.settings import ServerSettings, server_settings
from backend_client.errors import BackendError, Refused
from backend_client.server.address import host_of, parse_address, server_folder, socket_in
from backend_client.server.connection import Connection
from tests.backend.conftest import PASSWORD
from tests.backend.test_serve import Serving, log_in, refused
from tests.support.second_user import NOBODY, needs_root
from tests.support.wait import until


def made_certificate(folder, name="cert", days=2, begins=-1):
    """Write NAME.pem and NAME.key, which hold from `begins` to `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=begins))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, file = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return cert, file


def says(match, call, *words):
    """The error of a call is one sentence with these words."""
    with pytest.raises(BackendError, match=match) as told:
        call()
    for word in words:
        assert word in str(told.value)
    assert "\n" not in told.value.title


def test_local_alone_listens_at_a_socket_in_its_folder(tmp_path):
    assert socket_path(ServerSettings(local=True, folder=tmp_path)) == tmp_path / "socket"
    assert socket_path(ServerSettings(local=True, folder=tmp_path, listen="127.0.0.1:1")) is None
    assert socket_path(ServerSettings(folder=tmp_path)) is None
    assert socket_path(ServerSettings(local=True, socket=tmp_path / "s")) == tmp_path / "s"


def test_the_short_address_of_ones_own_server():
    url = parse_address("unix:")
    assert url == f"unix://{socket_in(server_folder())}"
    assert host_of(url) == "unix"
    assert socket_path(ServerSettings(local=True)) == socket_in(server_folder())


async def test_serve_local_and_a_client(tmp_path):
    with Serving(tmp_path, "--local") as server:
        path = tmp_path / "server" / "socket"
        assert server.where == f"unix:{path}"
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        connection = Connection(parse_address(server.where), None)
        assert b'"registration"' in await connection.request("GET", "/api/server")
        await connection.aclose()
        assert server.end()[0] == 0
        assert {line["address"] for line in server.log() if line["message"] == "request"} == {
            f"uid {os.geteuid()}"
        }
    assert not path.exists()


def test_a_folder_of_somebody_else_gets_no_socket(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    says(
        "Others can change", lambda: listen(ServerSettings(local=True, folder=folder)), f"chmod 700 {folder}"
    )


@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [("", "", 0o600), ("0660", "", 0o660), ("", str(os.getegid()), 0o660), ("600", str(os.getegid()), 0o600)],
)
def test_mode_and_group_of_the_socket(tmp_path, mode, group, expected):
    settings = ServerSettings(socket=tmp_path / "s", socket_mode=mode, socket_group=group)
    listen(settings).close()
    status = (tmp_path / "s").stat()
    assert (status.st_mode & 0o777, status.st_gid) == (expected, os.getegid())


@needs_root
def test_a_group_of_another(tmp_path):
    listen(ServerSettings(socket=tmp_path / "s", socket_group="nogroup")).close()
    assert (tmp_path / "s").stat().st_gid == NOBODY


@pytest.mark.parametrize("group", ["nosuchgroup", str(2**32 - 1), "9" * 30])
def test_a_group_that_is_none(tmp_path, group):
    says("There is no group", lambda: listen(ServerSettings(socket=tmp_path / "s", socket_group=group)))


@pytest.mark.parametrize(("name", "password"), [("ann", "short"), ("ann", ""), ("a b", PASSWORD)])
def test_a_first_admin_that_cannot_be_is_named_by_its_setting(tmp_path, name, password):
    said = refused(
        tmp_path,
        "--socket",
        str(tmp_path / "s"),
        TRAINDECK_SERVER_ADMIN_USER=name,
        TRAINDECK_SERVER_ADMIN_PASSWORD=password,
    )
    assert f"TRAINDECK_SERVER_ADMIN_{'USER' if ' ' in name else 'PASSWORD'}: " in said


def test_local_is_for_one_person(tmp_path):
    for more in ({"socket_mode": "0660"}, {"socket_group": "users"}, {"listen": "0.0.0.0:1"}):
        says(
            "one person",
            lambda more=more: check_exposure(ServerSettings(local=True, folder=tmp_path, **more)),
        )


def test_where_it_cannot_listen(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        says("another program listens there", lambda: listen(ServerSettings(listen=at)), at)
    says("no address of this machine", lambda: listen(ServerSettings(listen="192.0.2.1:8642")))
    says("there is no host", lambda: listen(ServerSettings(listen="nowhere.invalid:8642")))
    says(r"has \d+ bytes", lambda: listen(ServerSettings(socket=tmp_path / ("x" * 140))), "107", "shorter")
    (tmp_path / "file").touch()
    says("is no socket", lambda: listen(ServerSettings(socket=tmp_path / "file")))
    says("no such file", lambda: listen(ServerSettings(socket=tmp_path / "no" / "s")))
    says("no group nix", lambda: listen(ServerSettings(socket=tmp_path / "s", socket_group="nix")))


def test_ports_of_root(monkeypatch):
    def refuse(*_args, **_named):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    says("ports below 1024 are root's", lambda: listen(ServerSettings(listen="127.0.0.1:80")))


def test_settings_that_are_wrong(tmp_path, monkeypatch):
    file = tmp_path / "server.toml"
    monkeypatch.setenv("TRAINDECK_SERVER_CONFIG", str(file))
    says("it is not there", lambda: server_settings({}), str(file))
    for content, why in ((b"listen = ", "no TOML"), (b"\xff", "no text in UTF-8")):
        file.write_bytes(content)
        says(why, lambda: server_settings({}), str(file))
    file.unlink()
    file.mkdir()
    says("is a directory", lambda: server_settings({}))
    monkeypatch.delenv("TRAINDECK_SERVER_CONFIG")
    for name, text in (
        ("HOSTS", "a.example.org,b.example.org"),
        ("PROXIES", "10.0.0.1"),
        ("IMAGES", '"x"'),
        ("KUBERNETES", "[]"),
        ("HOST_PATHS", ""),
    ):
        monkeypatch.setenv(f"TRAINDECK_SERVER_{name}", text)
        says(f"TRAINDECK_SERVER_{name}: is no JSON", lambda: server_settings({}), "='")
        monkeypatch.delenv(f"TRAINDECK_SERVER_{name}")
    for wrong in (
        {"rate": 0},
        {"burst": 0},
        {"argon2_memory": 1},
        {"argon2_time": 0},
        {"max_body": 0},
        {"token_life": -1},
        {"socket_mode": "abc"},
        {"root_path": "traindeck"},
        {"root_path": "/a b"},
        {"root_path": "/a/"},
        {"token_life": 10**14},
        {"token_idle": 10**14},
        {"argon2_memory": 10**11},
        {"argon2_time": 10**9},
        {"max_gpus": -1},
        {"max_jobs": -1},
        {"max_pods": -1},
        {"max_cpus": -1},
        {"max_memory_gib": -1},
    ):
        says(next(iter(wrong)), lambda wrong=wrong: server_settings(wrong))
    for wrong, words in (({"root_path": "/a/"}, "/traindeck"), ({"socket_mode": "0999"}, "0660")):
        says("write", lambda wrong=wrong: server_settings(wrong), words)
    says("A password in --database", lambda: server_settings({"database": "postgresql://u@h/d?password=x"}))


def test_certificates_that_cannot_be_used(tmp_path):
    cert, key = made_certificate(tmp_path)
    _, other = made_certificate(tmp_path, "other")
    says("certificate .* no such file", lambda: Certificate(tmp_path / "no.pem", key))
    says("key .* no such file", lambda: Certificate(cert, tmp_path / "no.key"))
    says("key does not belong to the certificate", lambda: Certificate(cert, other))
    (tmp_path / "text").write_text("hello")
    says("no PEM file", lambda: Certificate(tmp_path / "text", key))
    says("no PEM file", lambda: Certificate(cert, tmp_path / "text"))
    says("no PEM file|TLS cannot use", lambda: Certificate(key, cert))
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-out", tmp_path / "locked", "-aes256", "-passout", "pass:geheim"],
        check=True,
    )
    says("is encrypted", lambda: Certificate(cert, tmp_path / "locked"), "openssl pkey")


def test_an_expired_certificate_is_warned_of(tmp_path):
    assert Certificate(*made_certificate(tmp_path)).warning() == ""
    assert "has expired on" in Certificate(*made_certificate(tmp_path, "old", days=-1, begins=-9)).warning()
    assert "holds only from" in Certificate(*made_certificate(tmp_path, "new", days=9, begins=3)).warning()


def shown(port):
    """The certificate that a server shows now."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as connection:
            return x509.load_der_x509_certificate(connection.getpeercert(True)).serial_number


def test_a_renewed_certificate_is_read_again_and_a_broken_one_is_not(tmp_path):
    cert, key = made_certificate(tmp_path, days=-1, begins=-9)
    with Serving(
        tmp_path, "--listen", "127.0.0.1:0", "--tls-cert", str(cert), "--tls-key", str(key)
    ) as server:
        port = int(server.where.rpartition(":")[2])
        first = shown(port)
        assert "has expired" in "".join(line["message"] for line in server.log())
        cert.write_text("half of a renewal")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "cannot be used" in "".join(line["message"] for line in server.log()))
        assert shown(port) == first
        made_certificate(tmp_path)
        until(lambda: shown(port) != first, 40)  # by a look at the files, without a signal
        second = shown(port)
        made_certificate(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: shown(port) != second)
        assert server.end()[0] == 0


@pytest.mark.parametrize("strips", [True, False])
async def test_under_a_path_behind_a_proxy(tmp_path, strips):
    """The proxy may take the path off or not; a client's address has it."""
    with Serving(tmp_path, "--listen", "127.0.0.1:0", "--root-path", "/tools/traindeck") as server:
        assert server.where.endswith("/tools/traindeck")
        base = server.where.removesuffix("/tools/traindeck") if strips else server.where
        async with httpx.AsyncClient(base_url=base) as client:
            headers = await log_in(client)
            assert (await client.get("/api/auth/me", headers=headers)).json()["user"] == "root"
            assert (await client.get("/livez")).status_code == 200
        connection = Connection(parse_address(server.where), None)
        await connection.request("GET", "/api/server")
        await connection.aclose()


def half_a_request(server):
    """Begin a request of a login; the server waits for its body."""
    answer = httpx.post(f"{server.where}/api/auth/login", json={"user": "root", "password": PASSWORD})
    token = f"Authorization: Bearer {answer.json()['token']}"
    half = socket.create_connection(("127.0.0.1", int(server.where.rpartition(":")[2])))
    half.sendall(
        f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\n{token}\r\nContent-Length: 9\r\n\r\n{{".encode()
    )
    return half


def test_two_signals_end_it_in_order(tmp_path):
    """The second one ends the patience with open requests, and nothing else: no traceback."""
    with Serving(tmp_path, "--listen", "127.0.0.1:0") as server:
        with half_a_request(server):
            server.process.send_signal(signal.SIGTERM)
            assert server.end()[0] == 0
        wrong = [line for line in server.log() if "error" in line or "Traceback" in line["message"]]
        assert wrong == []


def test_open_requests_are_cut_without_a_traceback(tmp_path):
    with Serving(tmp_path, "--listen", "127.0.0.1:0") as server:
        with half_a_request(server):
            assert server.end()[0] == 0
        assert [line for line in server.log() if "error" in line] == []


def test_what_a_person_sees(tmp_path):
    assert "is no JSON list" in refused(tmp_path, TRAINDECK_SERVER_HOSTS="a,b")
    assert "no address of a proxy" in refused(tmp_path, "--behind-proxy", "--trusted-proxy", "proxy")
    assert "cannot write in its folder" in refused(
        tmp_path, "--folder", "/proc/nowhere", "--listen", "127.0.0.1:0"
    )
    url = "postgresql://ann:ge@heim@127.0.0.1:1/d"
    told = refused(tmp_path, "--listen", "127.0.0.1:0", TRAINDECK_SERVER_DATABASE=url)
    assert "%40" in told
    assert "heim" not in told
    url = "postgresql://ann:geheim@127.0.0.1:1/d"
    told = refused(tmp_path, "--listen", "127.0.0.1:0", TRAINDECK_SERVER_DATABASE=url)
    assert "no PostgreSQL listens at 127.0.0.1:1" in told


def test_the_address_that_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = ServerSettings(listen="[::1]:0", root_path="/td")
        assert public_address(settings, listener) == f"http://[::1]:{port}/td"


def test_a_refusal_is_one_of_ours():
    with pytest.raises(Refused):
        check_exposure(ServerSettings(listen="0.0.0.0:1"))

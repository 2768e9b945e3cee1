"""A real control plane for one test run: etcd, kube-apiserver and, where they are found, the controllers.

    python -m tests.backend_client.kubernetes.support.controlplane FOLDER PID

It runs until process PID ends; FOLDER/ready says that it is up.

Binaries come from TRAINDECK_CLUSTER_BIN, KUBEBUILDER_ASSETS or PATH; openssl makes the keys.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.support.wait import until

GIVEN = "TRAINDECK_TEST_KUBECONFIG"
HOW = "set TRAINDECK_CLUSTER_BIN (or KUBEBUILDER_ASSETS) to a folder with etcd and kube-apiserver"
NEEDED = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
PEOPLE = {"admin": "system:masters", "alice": "", "bob": "", "viewer": "", "nobody": ""}
"""User -> group. Only admin may do anything: a test binds roles in its own namespace."""
_PARTS = {
    "kube-controller-manager": "system:kube-controller-manager",
    "kube-scheduler": "system:kube-scheduler",
}
_PATIENCE = 60.0


def binaries() -> Path | None:
    """The folder that holds what is needed, or None."""
    named = [os.environ.get(name, "") for name in ("TRAINDECK_CLUSTER_BIN", "KUBEBUILDER_ASSETS")]
    found = shutil.which("kube-apiserver")
    folders = [Path(name) for name in named if name] + ([Path(found).parent] if found else [])
    return next((f for f in folders if all((f / name).exists() for name in NEEDED)), None)


class ControlPlane:
    """Its processes by name. `kill`, `stop` (freeze) and `start` them as a test likes."""

    def __init__(self, folder: Path, *, controllers: bool = True) -> None:
        found = binaries()
        if found is None or shutil.which("openssl") is None:
            raise FileNotFoundError(HOW)
        self.bin = found
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.tokens = {user: secrets.token_hex(16) for user in (*PEOPLE, *_PARTS.values())}
        self.controllers = controllers and all((found / name).exists() for name in CONTROLLERS)
        self.etcd, self.peer, self.port = free_port(), free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def up(self) -> None:
        """Start all; returns when the API answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keys()
        self._tokens()
        self._kubeconfigs()
        self.start("etcd")
        self.start("kube-apiserver")
        until(self.answers, _PATIENCE, message=lambda: "the control plane did not come up", pause=0.05)
        for name in CONTROLLERS if self.controllers else ():
            self.start(name)

    def down(self) -> None:
        """Kill all and remove the folder."""
        for name in list(self.processes):
            self.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            argv = [str(self.bin / name), *self._arguments(name)]
            self.processes[name] = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def answers(self) -> bool:
        url = f"https://127.0.0.1:{self.port}/readyz"
        tls = ssl.create_default_context(cafile=self.folder / "server.crt")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2, context=tls) as answer:
            return bool(answer.read() == b"ok")
        return False

    def _arguments(self, name: str) -> list[str]:
        at = self.folder
        if name == "etcd":
            client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd, self.peer))
            urls = [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
            peers = [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
            one = ["--name=t", f"--initial-cluster=t={peer}", f"--data-dir={at / 'etcd'}"]
            return [*one, *urls, *peers, "--unsafe-no-fsync", "--log-level=warn"]
        if name == "kube-apiserver":
            return self._apiserver()
        return [
            f"--kubeconfig={at / name}.kubeconfig",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cert-dir={at}",
            *self._controller_manager() * (name == "kube-controller-manager"),
        ]

    def _controller_manager(self) -> list[str]:
        keys = [f"--service-account-private-key-file={self.folder / 'sa.key'}"]
        return [
            *keys,
            f"--root-ca-file={self.folder / 'server.crt'}",
            "--use-service-account-credentials=true",
        ]

    def _apiserver(self) -> list[str]:
        at = self.folder
        return [
            f"--etcd-servers=http://127.0.0.1:{self.etcd}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.95.0.0/16",
            f"--tls-cert-file={at / 'server.crt'}",
            f"--tls-private-key-file={at / 'server.key'}",
            f"--client-ca-file={at / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={at / 'sa.crt'}",
            f"--service-account-signing-key-file={at / 'sa.key'}",
            f"--token-auth-file={at / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            # Without controllers nobody makes the account that a pod would be given.
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={at / 'audit.yaml'}",
            f"--audit-log-path={at / 'audit.log'}",
        ]

    def _keys(self) -> None:
        """A server certificate, and a CA with a client certificate of the user `carol` (carol.pem)."""
        self._openssl("server", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self._openssl("ca", "/CN=ca")
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:false")
        self._openssl(
            "carol", "/O=system:masters/CN=carol", *signed, "-addext", "extendedKeyUsage=clientAuth"
        )
        self._openssl("sa", "/CN=sa")

    def _openssl(self, name: str, subject: str, *more: str) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        files = ["-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.crt"]
        argv = ["openssl", "req", "-x509", *key, *files, *more]
        subprocess.run(argv, check=True, capture_output=True, cwd=self.folder)

    def _tokens(self) -> None:
        groups = PEOPLE | dict.fromkeys(_PARTS.values(), "")
        lines = [f'{token},{user},{user},"{groups[user]}"\n' for user, token in self.tokens.items()]
        (self.folder / "tokens.csv").write_text("".join(lines))
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
        (self.folder / "audit.yaml").write_text(json.dumps(policy))

    def _kubeconfigs(self) -> None:
        self.kubeconfig.write_text(self._kubeconfig("admin", *PEOPLE))
        for part, user in _PARTS.items():
            (self.folder / f"{part}.kubeconfig").write_text(self._kubeconfig(user, user))

    def _kubeconfig(self, current: str, *users: str) -> str:
        server = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": "server.crt"}
        people = [{"name": user, "user": {"token": self.tokens[user]}} for user in users]
        places = [{"name": user, "context": {"cluster": "test", "user": user}} for user in users]
        clusters = [{"name": "test", "cluster": server}]
        parts = {"clusters": clusters, "users": people, "contexts": places, "current-context": current}
        return json.dumps({"apiVersion": "v1", "kind": "Config", **parts})


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(folder: Path, *, controllers: bool = True) -> Iterator[ControlPlane]:
    """One of one's own, to kill and to stop."""
    plane = ControlPlane(folder, controllers=controllers)
    try:
        plane.up()
        yield plane
    finally:
        plane.down()


def main(folder: Path, parent: int) -> None:
    """Run until the process ends that runs the tests, however it ends."""
    watched = os.pidfd_open(parent)
    with running(folder) as plane:
        (folder / "ready").write_text(str(plane.controllers))
        select.select([watched], [], [])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

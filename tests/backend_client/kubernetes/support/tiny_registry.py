"""A registry of images on this machine that has no image: each repository refuses in its own way."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INDEX = "application/vnd.oci.image.index.v1+json"
_FOREIGN = {
    "schemaVersion": 2,
    "mediaType": INDEX,
    "manifests": [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": f"sha256:{'1' * 64}",
            "size": 2,
            "platform": {"architecture": "s390x", "os": "linux"},
        }
    ],
}
_REFUSALS = {
    "missing": (404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "login": (401, "UNAUTHORIZED", "authentication required"),
    "busy": (429, "TOOMANYREQUESTS", "too many requests"),
    "odd": (418, "ODD", "a teapot"),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"
    """Also of what is no HTTP: containerd tries TLS first, and falls back where the answer is HTTP."""

    def do_GET(self) -> None:
        repository = self.path.split("/")[2] if self.path.count("/") > 2 else ""
        if repository == "foreign":
            self._answer(200, _FOREIGN, INDEX)
        elif repository in _REFUSALS:
            status, code, message = _REFUSALS[repository]
            self._answer(status, {"errors": [{"code": code, "message": message}]}, "application/json")
        else:
            self._answer(200, {}, "application/json")

    do_HEAD = do_GET  # noqa: N815  the base class looks for this name

    def _answer(self, status: int, body: object, media: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def tiny_registry() -> Iterator[str]:
    """Run one; yields HOST:PORT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

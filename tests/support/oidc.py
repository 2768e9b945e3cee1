"""A little issuer of tokens (OpenID Connect): discovery, and refresh tokens that are good once."""

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

CLIENT, CLIENT_SECRET = "traindeck", "s3cret"


def id_token(seconds: float, **claims: object) -> str:
    """A token that lasts so long from now on; nobody here looks at its signature."""
    parts = ({"alg": "none"}, {"exp": int(time.time() + seconds), **claims}, {})
    texts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join(texts)


class Issuer:
    """One issuer on this machine. `refuses`: it grants nothing."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.refresh_token = "r0"
        self.granted: list[str] = []
        self.refuses = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, {"issuer": outer.url, "token_endpoint": f"{outer.url}/token"})

            def do_POST(self) -> None:
                asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                login = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
                knows = self.headers.get("Authorization") == f"Basic {login}"
                if outer.refuses or not knows or asked["refresh_token"] != [outer.refresh_token]:
                    self._answer(400, {"error": "invalid_grant", "error_description": "no \x1b[2Jlonger"})
                    return
                outer.granted.append(id_token(3600, number=len(outer.granted)))
                outer.refresh_token = f"r{len(outer.granted)}"
                tokens = {"id_token": outer.granted[-1], "refresh_token": outer.refresh_token}
                self._answer(200, {"access_token": "a", "token_type": "Bearer", **tokens})

            def _answer(self, status: int, body: dict[str, object]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

"""Ends with 0 where the server of this container answers /livez, else with 1: for HEALTHCHECK."""

import http.client
import os
import ssl
import sys

PORT = int(os.environ.get("TRAINDECK_SERVER_LISTEN", "").rpartition(":")[2] or 8642)


def lives(connection: http.client.HTTPConnection) -> bool:
    """Whether it answers. Its certificate names other hosts than this one, so nobody asks for a name."""
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    plain = http.client.HTTPConnection("127.0.0.1", PORT, timeout=1)
    tls = http.client.HTTPSConnection(
        "127.0.0.1",
        PORT,
        timeout=1,
        context=ssl._create_unverified_context(),  # noqa: S323, SLF001  itself, over loopback
    )
    sys.exit(not (lives(plain) or lives(tls)))

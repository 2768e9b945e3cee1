"""Receivers of alerts on this machine: a small HTTP(S) server, a small mail server. They note what comes."""

import asyncio
import email
import email.policy
from email.message import EmailMessage

from msgspec import Struct


class Heard(Struct):
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """An HTTP server: `answers` are the statuses of the next requests, then 200; "hang" answers nothing."""

    def __init__(self, tls=None):
        self.tls = tls
        self.heard: list[Heard] = []
        self.answers: list[int | str] = []
        self.always: int | str = 200
        self.connections = 0
        self.names: list[str | None] = []
        """Of each TLS hello: the server name that it asks for."""

    async def __aenter__(self):
        if self.tls:
            self.tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in [*self._tasks]:
            task.cancel()

    _tasks: set[asyncio.Task]

    @property
    def keys(self):
        return [one.headers["idempotency-key"] for one in self.heard]

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        try:
            line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (each.partition(": ") for each in lines if each)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = self.answers.pop(0) if self.answers else self.always
            if answer == "hang":
                await asyncio.sleep(3600)
            self.heard.append(Heard(line, headers, body))
            if answer != "break":
                more = "Location: /elsewhere\r\n" if 300 <= answer < 400 else ""
                writer.write(
                    f"HTTP/1.1 {answer} x\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # the test is over
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()


def receiver(tls=None):
    made = Receiver(tls)
    made._tasks = set()
    return made


class MailServer:
    """An SMTP server (RFC 5321, for one client at a time); `refuse`: addresses that it does not take."""

    def __init__(self, tls=None, login=None):
        self.tls, self.login = tls, login
        self.mails: list[tuple[str, list[str], EmailMessage]] = []
        self.refuse: set[str] = set()
        self.said: list[str] = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        sender, to = "", []
        writer.write(b"220 mail.test ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            self.said.append(line)
            verb = line.split()[0].upper()
            answer = "250 ok"
            if verb == "EHLO":
                answer = "250-mail.test\r\n250-AUTH PLAIN\r\n250 STARTTLS" if self.tls else "250 mail.test"
            elif verb == "STARTTLS":
                writer.write(b"220 go\r\n")
                await writer.start_tls(self.tls)
                continue
            elif verb == "AUTH":
                answer = "235 ok" if line == f"AUTH PLAIN {self.login}" else "535 no"
            elif verb == "MAIL":
                sender, to = line.split(":", 1)[1].split()[0], []
            elif verb == "RCPT":
                address = line.split(":", 1)[1].strip("<> ")
                answer = "550 no such person" if address in self.refuse else "250 ok"
                to += [address] if answer == "250 ok" else []
            elif verb == "DATA":
                writer.write(b"354 go\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                text = content[:-5].replace(b"\r\n..", b"\r\n.")
                self.mails.append((sender, to, email.message_from_bytes(text, policy=email.policy.default)))
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            writer.write(f"{answer}\r\n".encode())
        writer.close()

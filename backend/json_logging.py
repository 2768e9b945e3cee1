"""The server's log: one JSON object a line on stdout, without secrets."""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from backend_client.errors import BackendError

_SECRETS = re.compile(r"td_[A-Za-z0-9_-]{20,}|(?<=://)[^/\s@]*:[^/\s@]*(?=@)|(?i:(?<=bearer ))\S+")
_WRITE_URLS = ("httpx", "httpcore")
"""They write the whole URL of each request, and that of a webhook is a secret."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, message, and its extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info and record.exc_info[1]:
            fields["error"] = self._error(record.exc_info[1])
        return redact(msgspec.json.encode(fields, enc_hook=str).decode())

    def _error(self, error: BaseException) -> str:
        """Return the message of our own errors; else the traceback, which holds no values of variables."""
        if isinstance(error, BackendError):
            return str(error)
        return self.formatException((type(error), error, error.__traceback__))


def redact(text: str) -> str:
    """Replace what looks like a token or a password by ***."""
    return _SECRETS.sub("***", text)


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Leave out tasks that are cancelled when the server stops: uvicorn logs them as errors of the app."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class _Handler(logging.Handler):
    def __init__(self, write_line: Callable[[str], None]) -> None:
        super().__init__()
        self._write_line = write_line

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. One that cannot be written is lost: a full disk under the log ends no server."""
        with suppress(Exception):
            self._write_line(self.format(record))


def log_as_json(write_line: Callable[[str], None]) -> None:
    """Send every log record, of libraries too, to `write_line` as JSON."""
    handler = _Handler(write_line)
    handler.setFormatter(JsonLines())
    handler.addFilter(_is_no_cancellation)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("alembic", "sqlalchemy", "aiosqlite", "asyncio", *_WRITE_URLS):
        logging.getLogger(chatty).setLevel(logging.WARNING)

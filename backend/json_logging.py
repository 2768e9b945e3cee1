"""The server's log: one JSON object a line on stdout, without secrets."""

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec

from backend_client.errors import BackendError

_SECRETS = re.compile(r"td_[A-Za-z0-9_-]{20,}|(?<=://)[^/\s@]*:[^/\s@]*(?=@)|(?i:(?<=bearer ))\S+")
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


def log_to_stdout() -> None:
    """Send every log record, of libraries too, to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("alembic", "sqlalchemy", "aiosqlite", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

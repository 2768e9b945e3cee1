"""RFC 3339 timestamps of log lines -> nanoseconds since the epoch."""

from datetime import datetime

SECOND = 1_000_000_000


class TimestampCache(dict[bytes, int]):
    """Nanoseconds since the epoch by timestamp, each computed once; 0 for what is no timestamp.

    A key is a second with its zone (2026-01-01T00:00:00Z), or has nine decimals in UTC, which is 30 bytes.
    Lines of one second share its first part: `datetime.fromisoformat` runs once for all of them.
    """

    def __missing__(self, stamp: bytes) -> int:
        try:
            if len(stamp) == 30:
                value = self[stamp[:19] + b"Z"] + int(stamp[20:29])
            else:
                value = int(datetime.fromisoformat(stamp.decode()).timestamp()) * SECOND
        except ValueError:
            value = 0
        if len(self) > 1000:
            self.clear()
        self[stamp] = value
        return value

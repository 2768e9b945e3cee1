"""The lines of a watch: bytes split at newlines only, as JSON may hold every other line separator."""

LARGEST = 64 * 1024 * 1024
"""Bytes of one line; no object in a cluster is as large (etcd: 1.5 MiB)."""


class TooLarge(Exception):
    """A line is longer than `LARGEST`."""


class JsonLines:
    """A splitter that keeps an unfinished line. An HTTP chunk holds several events, or a part of one."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes and return the lines that they complete. Raises TooLarge."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._hold(data)
            return []
        lines = b"".join((*self._parts, whole)).split(b"\n")
        self._parts, self._size = [], 0
        self._hold(rest)
        return [line for line in lines if line]

    def _hold(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > LARGEST:
            raise TooLarge
        self._parts.append(data)

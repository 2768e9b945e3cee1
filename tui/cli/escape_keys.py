"""The keys that leave a terminal in a job: `~.` behind a newline, as in ssh (pure)."""

_TILDE, _DOT = b"~", b"."
_NEWLINES = b"\r\n"


class EscapeKeys:
    """Looks through what is typed. Behind a newline `~.` leaves, and `~~` is a tilde."""

    def __init__(self) -> None:
        self._begins_line = True
        self._has_tilde = False
        self.leaves = False
        """`~.` was typed."""

    def pass_on(self, typed: bytes) -> bytes:
        """Return what is meant for the job; a tilde that begins a line is kept until the next key."""
        passed = bytearray()
        for number in typed:
            key = bytes([number])
            if self._has_tilde and key == _DOT:
                self.leaves = True
                break
            if self._has_tilde:
                self._has_tilde = False
                passed += key if key == _TILDE else _TILDE + key
            elif self._begins_line and key == _TILDE:
                self._has_tilde = True
                continue
            else:
                passed += key
            self._begins_line = key in _NEWLINES
        return bytes(passed)

"""What a program in a job has set of the person's terminal and not put back, and what does that (pure).

The sequences are xterm's (invisible-island.net/xterm/ctlseqs) and those of the kitty keyboard protocol.
"""

import re
from collections.abc import Callable

_DEFAULTS = {
    **dict.fromkeys((1049, 1047, 47), False),  # the other screen: first, as the rest belongs to this one
    **dict.fromkeys((9, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016), False),  # mouse and focus
    **dict.fromkeys((1, 5, 6, 69, 2004, 2026), False),  # keys, colours, margins, pasting, held output
    **dict.fromkeys((7, 25), True),  # lines that wrap, the cursor
}
"""Private modes, and whether a terminal has them on."""
_SEQUENCE = re.compile(
    rb"\x1b(?:(?P<reset>c)|(?P<keypad>[=>])|\((?P<charset>[0AB])"
    rb"|\[(?:\?(?P<modes>[\d;]{1,40}[hl])|(?P<style>[\d;:]{0,40})m|(?P<region>[\d;]{0,12})r"
    rb"|>4;?(?P<modifiers>\d?)m|(?P<keyboard>[<>]\d{0,3})u|(?P<cursor>\d?) q))"
)
_LONGEST = 48
_UNDO: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "keypad": (lambda value: value == b"=", b"\x1b>"),
    "charset": (lambda value: value != b"B", b"\x1b(B"),
    "style": (lambda value: value.strip(b"0;:"), b"\x1b[0m"),
    "region": (bool, b"\x1b7\x1b[r\x1b8"),  # to put margins back moves the cursor
    "modifiers": (lambda value: value.strip(b"0"), b"\x1b[>4m"),
    "keyboard": (lambda value: value.startswith(b">"), b"\x1b[<9u"),
    "cursor": (lambda value: value.strip(b"0"), b"\x1b[0 q"),
}
"""Kind of sequence -> whether its value changes anything, and what changes it back."""


class LeftOver:
    """Follows what is shown in a terminal, in pieces of any size."""

    def __init__(self) -> None:
        self._begun = b""
        """Of a sequence whose end has not come."""
        self._modes: set[int] = set()
        """Those that are not as a terminal has them."""
        self._undo: dict[str, bytes] = {}

    def follow(self, shown: bytes) -> None:
        """Look through the next piece."""
        shown = self._begun + shown
        end = 0
        for found in _SEQUENCE.finditer(shown):
            self._set(found.lastgroup or "", found[found.lastgroup or 0])
            end = found.end()
        last = shown.rfind(b"\x1b", max(end, len(shown) - _LONGEST))
        self._begun = shown[last:] if last >= 0 else b""
        if (out := shown.rfind(b"\x0e")) != (back := shown.rfind(b"\x0f")):
            self._keep("shift", b"\x0f" if out > back else b"")

    @property
    def undoing(self) -> bytes:
        """What puts the terminal back; b"" where it is as it was."""
        modes = [b"\x1b[?%d%c" % (mode, b"lh"[on]) for mode, on in _DEFAULTS.items() if mode in self._modes]
        return b"".join([*modes, *self._undo.values()])

    def _set(self, kind: str, value: bytes) -> None:
        if kind == "reset":
            self._modes.clear()
            self._undo.clear()
        elif kind == "modes":
            for mode in (int(number) for number in value[:-1].split(b";") if number):
                changed = _DEFAULTS.get(mode) not in (None, value.endswith(b"h"))
                (self._modes.add if changed else self._modes.discard)(mode)
        else:
            changes, undo = _UNDO[kind]
            self._keep(kind, undo if changes(value) else b"")

    def _keep(self, kind: str, undo: bytes) -> None:
        if undo:
            self._undo[kind] = undo
        else:
            self._undo.pop(kind, None)

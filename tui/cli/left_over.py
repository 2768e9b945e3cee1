"""What a program in a job has set of the person's terminal and not put back, and what does that (pure).

The sequences are xterm's (invisible-island.net/xterm/ctlseqs) and those of the kitty keyboard protocol.
"""

import re

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
_SAVED = b"\x1b7%b\x1b8"
"""To put margins back moves the cursor."""


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
        match kind:
            case "reset":
                self._modes.clear()
                self._undo.clear()
            case "modes":
                for mode in (int(number) for number in value[:-1].split(b";") if number):
                    changed = _DEFAULTS.get(mode) not in (None, value.endswith(b"h"))
                    (self._modes.add if changed else self._modes.discard)(mode)
            case "keypad":
                self._keep(kind, b"\x1b>" if value == b"=" else b"")
            case "charset":
                self._keep(kind, b"" if value == b"B" else b"\x1b(B")
            case "style":
                self._keep(kind, b"\x1b[0m" if value.strip(b"0;:") else b"")
            case "region":
                self._keep(kind, _SAVED % b"\x1b[r" if value else b"")
            case "modifiers":
                self._keep(kind, b"\x1b[>4m" if value.strip(b"0") else b"")
            case "keyboard":
                self._keep(kind, b"\x1b[<9u" if value.startswith(b">") else b"")
            case "cursor":
                self._keep(kind, b"\x1b[0 q" if value.strip(b"0") else b"")

    def _keep(self, kind: str, undo: bytes) -> None:
        if undo:
            self._undo[kind] = undo
        else:
            self._undo.pop(kind, None)

"""What the context offers for a field: a short list below it, that follows what is typed."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from backend_client.protocol import Choice
from tui.ui.sanitize import clean

MOST = 5
"""Lines of it: a terminal may have 24."""


class ChoiceList(Static):
    """`known`: all that is offered; `why`: why that is not known. Shown while its field has the focus."""

    def __init__(self) -> None:
        super().__init__(classes="choices", markup=False)
        self.known: Sequence[Choice] = ()
        self.why = ""
        self._found: list[Choice] = []
        self._at = -1

    def follow(self, typed: str) -> None:
        """Show what has this in it; what stands there whole needs no list."""
        found = [choice for choice in self.known if typed.lower() in choice.value.lower()]
        self._found = [] if typed in [choice.value for choice in found] else found
        self._at = -1
        self._draw()

    def leave(self) -> None:
        """Show nothing."""
        self._found, self._at = [], -1
        self.display = False

    def move(self, step: int) -> bool:
        """Go up or down in it; False where there is nothing to go through."""
        if not self._found:
            return False
        self._at = max(-1, min(self._at + step, len(self._found) - 1))
        self._draw()
        return True

    @property
    def chosen(self) -> str:
        """The one under the cursor; "" where there is none."""
        return self._found[self._at].value if 0 <= self._at < len(self._found) else ""

    def _draw(self) -> None:
        first = max(0, self._at - MOST + 1)
        lines = [self._line(number) for number in range(first, min(first + MOST, len(self._found)))]
        if more := len(self._found) - first - len(lines):
            lines.append(Content.styled(f"  and {more} more", "$text-muted"))
        if self.why:
            lines = [Content.styled(f"  write it by hand: {clean(self.why, 200)}", "$text-muted")]
        self.display = bool(lines)
        self.update(Content("\n").join(lines))

    def _line(self, number: int) -> Content:
        choice, here = self._found[number], number == self._at
        value = f"{'>' if here else ' '} {clean(choice.value, 60)}"
        return Content.assemble(
            (value, "bold" if here else ""), (f"  {clean(choice.about, 60)}", "$text-muted")
        )

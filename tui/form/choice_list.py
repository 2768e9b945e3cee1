"""The choices that the context offers for a field: a short list below it, filtered by what is typed."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from backend_client.protocol import Choice
from backend_client.text.sanitize import clean

MOST_LINES = 5
"""Lines shown at once: a terminal may have 24."""


class ChoiceList(Static):
    """Shows `choices`, or `why` the context does not say them, while its field has the focus."""

    def __init__(self) -> None:
        super().__init__(classes="choices", markup=False)
        self.choices: Sequence[Choice] = ()
        self.why = ""
        self._matching: list[Choice] = []
        self._cursor = -1

    def filter(self, typed: str) -> None:
        """Show the choices that contain the typed text; a choice that is typed in full needs no list."""
        matching = [choice for choice in self.choices if typed.lower() in choice.value.lower()]
        self._matching = [] if typed in [choice.value for choice in matching] else matching
        self._cursor = -1
        self._draw()

    def hide(self) -> None:
        """Hide the list of choices."""
        self._matching, self._cursor = [], -1
        self.display = False

    def move(self, step: int) -> bool:
        """Move the cursor up or down; False where no choice is shown."""
        if not self._matching:
            return False
        self._cursor = max(-1, min(self._cursor + step, len(self._matching) - 1))
        self._draw()
        return True

    @property
    def selected(self) -> str:
        """The value under the cursor; "" where there is none."""
        return self._matching[self._cursor].value if 0 <= self._cursor < len(self._matching) else ""

    def _draw(self) -> None:
        first = max(0, self._cursor - MOST_LINES + 1)
        lines = [self._line(number) for number in range(first, min(first + MOST_LINES, len(self._matching)))]
        if more := len(self._matching) - first - len(lines):
            lines.append(Content.styled(f"  and {more} more", "$text-muted"))
        if self.why:
            lines = [Content.styled(f"  write it by hand: {clean(self.why, 200)}", "$text-muted")]
        self.display = bool(lines)
        self.update(Content("\n").join(lines))

    def _line(self, number: int) -> Content:
        choice, here = self._matching[number], number == self._cursor
        value = f"{'>' if here else ' '} {clean(choice.value, 60)}"
        return Content.assemble(
            (value, "bold" if here else ""), (f"  {clean(choice.about, 60)}", "$text-muted")
        )

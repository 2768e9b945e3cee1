"""Show another text in a widget that is as high as its text."""

from textual.content import Content
from textual.widgets import Static


def show_text(widget: Static, text: Content) -> None:
    """Put a text in place of the one that is shown.

    Textual (8.2.8, `Widget.refresh`) counts two changes as one until the widget has been idle; where it is
    laid out in between, as when a screen opens, the second text gets the height of the first, and its end is
    not seen.
    """
    widget.update(text)
    widget._layout_updates += 1  # noqa: SLF001  what `Widget._get_box_model` looks at

"""traindeck's own colours. Textual's themes, two of them in 16 ANSI colours, can be chosen as well."""

from textual.theme import Theme

DARK = Theme(
    name="traindeck",
    primary="#7aa2f7",
    secondary="#6fc3cf",
    accent="#c49be8",
    foreground="#d5d9e0",
    background="#14171c",
    surface="#1c2027",
    panel="#2a3340",
    success="#7fc77f",
    warning="#e0b060",
    error="#f0737a",
    dark=True,
    # Textual's own are "auto 60%", of which a text within a line keeps no more than white.
    variables={"text-muted": "#959ca8", "text-disabled": "#666d79"},
)

"""Jobs to begin with: choose a template."""

from tui.form.templates import Templates, summary
from tui.ui.pick_screen import Pick, PickScreen


class TemplatesScreen(PickScreen):
    """Dismisses with the name of a template, or None."""

    def __init__(self, templates: Templates) -> None:
        picks = [Pick(name, summary(fields)) for name, fields in templates.items()]
        super().__init__("Fill in from a template; what it does not name stays", picks)

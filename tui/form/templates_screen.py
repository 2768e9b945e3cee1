"""Jobs to begin with: choose a template."""

from tui.form.templates import Templates, summary
from tui.ui.contexts import ContextsScreen


class TemplatesScreen(ContextsScreen):
    """Dismisses with the name of a template, or None."""

    TITLE = "Fill in from a template; what it does not name stays"

    def __init__(self, templates: Templates) -> None:
        super().__init__([(name, summary(fields), True) for name, fields in templates.items()], "")

"""Which screen answers a request of `tui.messages`; each is imported when it is first opened."""

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from backend_client.models import Job
from backend_client.protocol import Feature
from tui.jobs.context_feed import OpenDetail
from tui.messages import OpenForm, OpenHistory, OpenLog, OpenLogin, OpenPlot, OpenScreen, OpenText
from tui.session import Session

OnClose = Callable[[Any], None] | None


def screen_for(request: OpenScreen, session: Session) -> tuple[Screen[Any], OnClose]:
    """Return a new screen, and what is called with its result. Raises TypeError for an unknown request."""
    match request:
        case OpenText(title, text):
            from tui.ui.text import TextScreen

            return TextScreen(title, text), None
        case OpenLog(job, backend):
            from tui.log.log_screen import LogScreen

            return LogScreen(job, backend), None
        case OpenPlot(job, backend):
            from tui.log.plot_screen import PlotScreen

            return PlotScreen(job, backend), None
        case OpenDetail(job, backend, feed):
            from tui.jobs.detail_screen import DetailScreen

            return DetailScreen(job, backend, feed), None
        case OpenHistory(backend):
            from tui.history.history_screen import HistoryScreen

            return HistoryScreen(backend), None
        case OpenForm():
            return _form(request, session)
        case OpenLogin(source, account, reason, on_close):
            from tui.login.login_screen import LoginScreen

            return LoginScreen(session, source, account, reason), on_close
    raise TypeError(f"no screen for {type(request).__name__}")


def _form(request: OpenForm, session: Session) -> tuple[Screen[Any], OnClose]:
    from tui.form.form_screen import FormScreen

    def closed(job: Job | None) -> None:
        if job:
            request.created(job)

    namespace = session.namespace if Feature.NAMESPACES in request.backend.features else ""
    templates = session.settings.templates
    return FormScreen(request.backend, spec=request.spec, namespace=namespace, templates=templates), closed

"""Which screen answers a request of `tui.messages`; each is imported when it is first opened."""

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from backend_client.models import Job
from backend_client.protocol import Feature
from tui.jobs.context_feed import OpenDetail, OpenWhy
from tui.messages import (
    OpenAlerts,
    OpenCompare,
    OpenForm,
    OpenGpus,
    OpenHistory,
    OpenLog,
    OpenLogin,
    OpenPlot,
    OpenPorts,
    OpenQueues,
    OpenRanks,
    OpenReport,
    OpenScreen,
    OpenText,
)
from tui.session import Session

OnClose = Callable[[Any], None] | None


def screen_for(request: OpenScreen, session: Session) -> tuple[Screen[Any], OnClose]:
    """Return a new screen, and what is called with its result. Raises TypeError for an unknown request."""
    match request:
        case OpenLog() | OpenPlot() | OpenRanks() | OpenDetail() | OpenWhy():
            return _of_one_job(request), None
        case OpenHistory() | OpenQueues() | OpenGpus() | OpenReport() | OpenAlerts():
            return _of_a_context(request), None
        case OpenCompare(jobs, backend):
            from tui.compare.compare_screen import CompareScreen

            return CompareScreen(jobs, backend), None
        case OpenText(title, text):
            from tui.ui.text import TextScreen

            return TextScreen(title, text), None
        case OpenPorts(job, backend):
            from tui.ports.ports_screen import PortsScreen

            return PortsScreen(job, backend, session.forwards), None
        case OpenForm():
            return _form(request, session)
        case OpenLogin(source, account, reason, on_close):
            from tui.login.login_screen import LoginScreen

            return LoginScreen(session, source, account, reason), on_close
    raise TypeError(f"no screen for {type(request).__name__}")


def _of_one_job(request: OpenLog | OpenPlot | OpenRanks | OpenDetail | OpenWhy) -> Screen[Any]:
    match request:
        case OpenLog(job, backend, at_error):
            from tui.log.log_screen import LogScreen

            return LogScreen(job, backend, at_error=at_error)
        case OpenPlot(job, backend, buffer):
            from tui.log.plot_screen import PlotScreen

            return PlotScreen(job, backend, buffer)
        case OpenRanks(job, backend):
            from tui.usage.ranks_screen import RanksScreen

            return RanksScreen(job, backend)
        case OpenDetail(job, backend, feed, created):
            from tui.jobs.detail_screen import DetailScreen

            return DetailScreen(job, backend, feed, created)
        case OpenWhy(job, backend, feed, created):
            from tui.why.why_screen import WhyScreen

            return WhyScreen(job, backend, feed, created)


def _of_a_context(
    request: OpenHistory | OpenQueues | OpenGpus | OpenReport | OpenAlerts,
) -> Screen[Any]:
    match request:
        case OpenHistory(backend):
            from tui.history.history_screen import HistoryScreen

            return HistoryScreen(backend)
        case OpenReport(backend):
            from tui.usage.report_screen import ReportScreen

            return ReportScreen(backend)
        case OpenQueues(backend, scope):
            from tui.queue.queue_screen import QueueScreen

            return QueueScreen(backend, scope)
        case OpenGpus(backend, jobs, open_job):
            from tui.gpus.gpus_screen import GpusScreen

            return GpusScreen(backend, jobs, open_job)
        case OpenAlerts():
            from tui.alerts.alerts_screen import AlertsScreen

            return AlertsScreen(request)


def _form(request: OpenForm, session: Session) -> tuple[Screen[Any], OnClose]:
    from tui.form.form_screen import FormScreen

    def closed(job: Job | None) -> None:
        if job:
            request.created(job)

    namespace = session.namespace if Feature.NAMESPACES in request.backend.features else ""
    templates = session.settings.templates
    form = FormScreen(
        request.backend,
        spec=request.spec,
        before=request.before,
        namespace=namespace,
        templates=templates,
    )
    return form, closed

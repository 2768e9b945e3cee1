"""ONE table of what a person can do: bindings, footer, help, palette, user keymap, docs/reference/keys.md.

Imports no Textual: the command line and docs/generate.py read it too.
"""

from enum import StrEnum
from typing import NamedTuple

from backend_client.protocol import Feature, Verb


class Place(StrEnum):
    """What has the focus. The footer shows the actions of one place, in the order of the table."""

    APP = "everywhere"
    LIST = "job list"
    LOG = "log"
    FORM = "job form"
    PLAN = "plan of a new job"
    DETAIL = "job detail"
    WHY = "why"
    PLOT = "loss plot"
    COMPARE = "compared jobs"
    RANKS = "ranks"
    HISTORY = "history"
    QUEUE = "queue"
    GPUS = "machines with GPUs"
    GPU_JOBS = "jobs of a machine"
    REPORT = "what it cost"
    ALERTS = "alerts"
    WISHES = "what alerts tell"
    PORTS = "forwarded ports"
    LOGIN = "login"


_KEY_SIGNS = {
    "question_mark": "?",
    "slash": "/",
    "ampersand": "&",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "asterisk": "*",
    "dollar_sign": "$",
}


class Action(NamedTuple):
    """`id` is the binding's id (`keys.<id>` in the settings file)."""

    id: str
    key: str
    """Textual key names, comma-separated; the first one is shown."""
    label: str
    """What the footer says."""
    help: str
    """What help and docs/reference/keys.md say: one sentence."""
    where: Place
    acts: bool = False
    """Changes something: absent in read-only mode."""
    footer: bool = True
    needs: Verb | Feature | None = None
    """The verb that must be allowed, or the feature that must be there: else it is grey, and says why."""
    does: str = ""
    """The Textual action that it runs (its handler is `action_<does>`), where that is not named by the id."""

    @property
    def handler(self) -> str:
        """The Textual action that it runs, without a namespace unless it is the app's."""
        return self.does or self.id

    @property
    def shown_keys(self) -> list[str]:
        """The keys as people write them."""
        return [_KEY_SIGNS.get(key, key) for key in self.key.split(",")]

    @property
    def shown_key(self) -> str:
        return self.shown_keys[0]


def _in_detail(action: Action, *, footer: bool | None = None) -> Action:
    """Return the action of the job list, or of a log, as that of a job's detail."""
    return _elsewhere(action, Place.DETAIL, footer=action.footer if footer is None else footer)


def _elsewhere(action: Action, where: Place, **changed: object) -> Action:
    """Return the action of the job list, or of a log, as that of another place."""
    elsewhere = {"id": f"{where.name.lower()}_{action.id}", "where": where, "does": action.id}
    return action._replace(**elsewhere, **changed)  # type: ignore[arg-type]


_LOG = Action("log", "l", "log", "The job's log, full screen.", Place.LIST)
_WHY = Action("why", "w", "why", "Why it waits or failed, and what would help.", Place.LIST)
_STOP = Action("stop", "x", "stop", "Stop the job; asks first.", Place.LIST, acts=True, needs=Verb.STOP)
_DELETE = Action(
    "delete",
    "d",
    "delete",
    "Delete the job and its log; asks first.",
    Place.LIST,
    acts=True,
    needs=Verb.DELETE,
)
_AGAIN = Action(
    "again",
    "r",
    "again",
    "A new job, filled in like this one.",
    Place.LIST,
    acts=True,
    needs=Verb.CREATE,
)
_RESUME = Action(
    "resume",
    "u",
    "resume",
    "Go on with a stopped job; finish one that is half made.",
    Place.LIST,
    acts=True,
    footer=False,
    needs=Verb.RESUME,
)
_AS_JOB = Action(
    "as_job",
    "J",
    "as job",
    "Stop a deployment, and run it as a job; asks first.",
    Place.LIST,
    acts=True,
    footer=False,
    needs=Verb.CREATE,
)
_SHELL = Action(
    "shell",
    "s",
    "shell",
    "A shell in the running job; of several ranks asks which.",
    Place.LIST,
    acts=True,
    footer=False,
    needs=Verb.EXEC,
)
_YAML = Action("yaml", "y", "YAML", "The job's spec file.", Place.LIST, footer=False)
_ALERTS = Action("alerts", "A", "alerts", "What fires, and what has recovered.", Place.LIST, footer=False)
_PORTS = Action(
    "ports",
    "p",
    "ports",
    "Reach a port of the job from this machine.",
    Place.LIST,
    footer=False,
    needs=Verb.PORTS,
)
_PLOT = Action("plot", "v", "plot", "The loss over the steps, as the log tells it.", Place.LOG, footer=False)

ACTIONS: tuple[Action, ...] = (
    Action(
        "detail",
        "enter",
        "detail",
        "Everything about the job under the cursor; a group: open its row, or close it.",
        Place.LIST,
    ),
    Action("new", "n", "new", "Fill in a new job.", Place.LIST, acts=True, needs=Verb.CREATE),
    _LOG,
    _WHY,
    Action("tile", "L", "log beside", "Put the job's log beside, or away.", Place.LIST, footer=False),
    _STOP,
    _DELETE,
    _AGAIN,
    _RESUME,
    _AS_JOB,
    Action("filter", "slash", "filter", "Show only jobs that have these words.", Place.LIST),
    Action("gpus", "g", "GPUs", "The machines with GPUs, and who holds them.", Place.LIST),
    Action(
        "queues",
        "Q",
        "queue",
        "The queues, and what waits in which order.",
        Place.LIST,
        needs=Feature.QUEUE,
    ),
    _ALERTS,
    _PORTS,
    Action("order", "o", "order", "Change the order of the list.", Place.LIST, footer=False),
    Action(
        "group", "O", "group", "Put jobs together by state, owner, sweep, or not.", Place.LIST, footer=False
    ),
    Action(
        "usage",
        "U",
        "use",
        "Show what the jobs use: their GPUs and the memory of these; or not.",
        Place.LIST,
        footer=False,
        needs=Feature.METRICS,
    ),
    Action("refresh", "ctrl+r,f5", "refresh", "Ask the context anew, at once.", Place.LIST, footer=False),
    Action(
        "mark",
        "space",
        "mark",
        "Mark the job, or all of a group: stop, delete, resume mean all marked.",
        Place.LIST,
    ),
    Action(
        "mark_range", "M", "mark to here", "Mark all from the last mark to here.", Place.LIST, footer=False
    ),
    Action(
        "mark_all", "asterisk", "mark all", "Mark all jobs that are shown, or none.", Place.LIST, footer=False
    ),
    Action("unmark", "escape", "unmark", "Take all marks away.", Place.LIST, footer=False),
    _SHELL,
    Action(
        "compare",
        "v",
        "compare",
        "The losses and other figures of all marked jobs, or of a group, over one another.",
        Place.LIST,
        footer=False,
    ),
    Action("watch", "b", "watch", "A bell and a notification when the job ends.", Place.LIST, footer=False),
    _YAML,
    Action(
        "history",
        "h",
        "history",
        "Jobs that were, also deleted ones.",
        Place.LIST,
        footer=False,
        needs=Feature.HISTORY,
    ),
    Action(
        "report",
        "dollar_sign",
        "cost",
        "What was held and used: GPU-hours by user, queue, day.",
        Place.LIST,
        footer=False,
        needs=Feature.ACCOUNTING,
    ),
    Action(
        "namespace",
        "N",
        "namespace",
        "Another namespace of this context, or all.",
        Place.LIST,
        footer=False,
        needs=Feature.NAMESPACES,
    ),
    Action("up", "up,k", "up", "The job above.", Place.LIST, footer=False),
    Action("down", "down,j", "down", "The job below.", Place.LIST, footer=False),
    Action("page_up", "pageup", "page up", "The page above.", Place.LIST, footer=False),
    Action("page_down", "pagedown", "page down", "The page below.", Place.LIST, footer=False),
    Action("top", "home", "top", "The first job.", Place.LIST, footer=False),
    Action("bottom", "end,G", "bottom", "The last job.", Place.LIST, footer=False),
    Action("context", "c", "context", "Where jobs run: switch the context.", Place.APP, footer=False),
    Action("account", "a", "account", "Log in, log out, or as somebody else.", Place.APP, footer=False),
    Action("focus_next", "tab", "next pane", "Go to the next pane.", Place.APP, footer=False),
    Action("help", "question_mark", "help", "The keys of what has the focus.", Place.APP),
    Action("command_palette", "ctrl+p", "palette", "All actions by name.", Place.APP, footer=False),
    Action(
        "suspend",
        "ctrl+z",
        "to the shell",
        "Stop, and go to the shell; `fg` comes back.",
        Place.APP,
        footer=False,
    ),
    Action("quit", "q", "quit", "Leave traindeck; jobs go on.", Place.APP, footer=False),
    Action("search", "slash", "search", "Search in the log (text, or /regex/).", Place.LOG),
    Action("next_match", "n", "next", "The next match.", Place.LOG),
    Action("previous_match", "N", "previous", "The match before.", Place.LOG, footer=False),
    Action("first_error", "e", "error", "The first error: what failed, not what followed.", Place.LOG),
    Action("follow", "f,G", "follow", "Go to the end and stay there.", Place.LOG),
    Action("pause", "space", "pause", "Stand still, and go on.", Place.LOG, footer=False),
    Action("only", "ampersand", "only", "Hide lines without this (text, or /regex/).", Place.LOG),
    Action("rank_after", "right_square_bracket", "rank", "The next rank only, or all.", Place.LOG),
    Action(
        "rank_before",
        "left_square_bracket",
        "rank before",
        "The rank before only, or all.",
        Place.LOG,
        footer=False,
    ),
    Action("log_tile", "L", "beside", "Put this log beside, or away.", Place.LOG, footer=False),
    Action("log_mark", "m", "mark", "Mark a line; two tell the time between them.", Place.LOG, footer=False),
    Action("timestamps", "t", "times", "Show when each line was written.", Place.LOG),
    Action("wrap", "z", "wrap", "Wrap long lines, or cut them.", Place.LOG),
    Action("save", "S", "save", "Save the whole log to a file.", Place.LOG),
    Action("copy", "Y", "copy", "Copy the lines on screen.", Place.LOG),
    _PLOT,
    Action("back", "escape", "back", "Back to the job list.", Place.LOG),
    Action("submit", "f2", "submit", "Run this job.", Place.FORM, acts=True),
    Action("plan", "f3", "YAML", "The exact objects that would be made.", Place.FORM),
    Action("more", "f4", "more", "Show or fold the rest of the fields.", Place.FORM),
    Action("template", "f5", "template", "Fill in from a template of the settings.", Place.FORM),
    Action("in_shell", "f6", "sh -c", "Have a shell run the command: sh -c '...'.", Place.FORM),
    Action("edit", "ctrl+e", "edit", "The command in your editor ($VISUAL, $EDITOR).", Place.FORM),
    Action("leave", "escape", "leave", "Back to the list; asks where something was typed.", Place.FORM),
    Action("form_help", "f1", "help", "The keys of the form.", Place.FORM, does="app.help"),
    Action("plan_save", "S", "save", "Save the spec file; `submit -f` takes it.", Place.PLAN),
    Action("plan_back", "escape,f3", "back", "Back to the form.", Place.PLAN),
    _in_detail(_LOG),
    _in_detail(_WHY),
    _in_detail(_PLOT, footer=True),
    Action(
        "ranks",
        "R",
        "ranks",
        "The ranks side by side: steps, pace, use, and which one is slow.",
        Place.DETAIL,
        footer=False,
        needs=Feature.RANKS,
    ),
    _in_detail(_SHELL),
    _in_detail(_YAML, footer=True),
    _in_detail(_ALERTS),
    _in_detail(_PORTS),
    _in_detail(_RESUME, footer=True),
    _in_detail(_AS_JOB),
    _in_detail(_AGAIN),
    _in_detail(_STOP),
    _in_detail(_DELETE),
    Action(
        "advice",
        "1",
        "as advised",
        "A new job like this one, with the change that its receipt advises.",
        Place.DETAIL,
        acts=True,
        footer=False,
        needs=Verb.CREATE,
    ),
    Action("detail_back", "escape", "back", "Back to the job list.", Place.DETAIL),
    Action("why_open", "enter", "open", "Unfold what the object says itself; take the offer.", Place.WHY),
    Action(
        "offer",
        "1",
        "offer",
        "A new job like this one with the first offer's change; 2 to 9 take the others.",
        Place.WHY,
        acts=True,
        needs=Verb.CREATE,
        does="offer(1)",
    ),
    _elsewhere(_LOG, Place.WHY, help="The job's log; of one that failed, at its first error."),
    _elsewhere(_AGAIN, Place.WHY),
    _elsewhere(_STOP, Place.WHY, footer=False),
    _elsewhere(_DELETE, Place.WHY),
    Action("why_up", "up,k", "up", "The line above.", Place.WHY, footer=False),
    Action("why_down", "down,j", "down", "The line below.", Place.WHY, footer=False),
    Action("why_back", "escape,w", "back", "Back to where it was opened.", Place.WHY),
    _elsewhere(_SHELL, Place.RANKS, footer=True),
    Action("ranks_back", "escape,R", "back", "Back to the job.", Place.RANKS),
    Action(
        "plot_time",
        "t",
        "steps, time",
        "The loss over the time, above what the job's GPUs did; or over the steps.",
        Place.PLOT,
    ),
    Action("plot_back", "escape,v", "back", "Back to where it was opened.", Place.PLOT),
    Action("compare_next", "n", "next", "The next series of the logs: loss, lr, ...", Place.COMPARE),
    Action("compare_previous", "N", "before", "The series before.", Place.COMPARE, footer=False),
    Action("compare_time", "t", "time", "Over the time since each began, or steps.", Place.COMPARE),
    Action("compare_smooth", "s", "smooth", "Smooth more; after the most, not at all.", Place.COMPARE),
    Action("compare_log", "l", "log", "A logarithmic scale, or a linear one.", Place.COMPARE),
    Action("compare_specs", "d", "specs", "In what their specs differ, or their figures.", Place.COMPARE),
    Action("compare_back", "escape,v", "back", "Back to the job list.", Place.COMPARE),
    Action("history_filter", "slash", "filter", "Show only jobs that have these words.", Place.HISTORY),
    Action("history_back", "escape", "back", "Back to the job list.", Place.HISTORY),
    Action(
        "queue_hold",
        "h",
        "hold",
        "Hold the waiting job back; release it, if it is held.",
        Place.QUEUE,
        acts=True,
        needs=Verb.STOP,
    ),
    Action(
        "queue_priority",
        "p",
        "priority",
        "Another priority in its queue for the waiting job.",
        Place.QUEUE,
        acts=True,
        needs=Verb.STOP,
    ),
    Action(
        "queue_move",
        "m",
        "move",
        "Put the waiting job into another queue.",
        Place.QUEUE,
        acts=True,
        needs=Verb.STOP,
    ),
    Action("queue_mine", "n", "next of mine", "The next waiting job of your own.", Place.QUEUE),
    Action("queue_refresh", "ctrl+r,f5", "refresh", "Ask the context anew.", Place.QUEUE, footer=False),
    Action("queue_back", "escape", "back", "Back to the job list.", Place.QUEUE),
    Action("gpus_jobs", "enter", "jobs", "The jobs that hold GPUs of the machine.", Place.GPUS),
    Action("gpus_filter", "slash", "filter", "Show only machines that have these words.", Place.GPUS),
    Action("gpus_order", "o", "order", "Most free GPUs first, or by name.", Place.GPUS),
    Action(
        "gpus_refresh", "ctrl+r,f5", "refresh", "Ask the context anew, at once.", Place.GPUS, footer=False
    ),
    Action("gpus_back", "escape,g", "back", "Back to the job list.", Place.GPUS),
    Action("gpu_job_detail", "enter", "detail", "Everything about the job, if it is listed.", Place.GPU_JOBS),
    Action("gpu_jobs_back", "escape", "back", "Back to the machines.", Place.GPU_JOBS),
    Action("report_group", "g", "group", "By user, team, queue, project, day or GPU type.", Place.REPORT),
    Action("report_period", "p", "period", "Of a day, a week, a month, a quarter, a year.", Place.REPORT),
    Action("report_refresh", "ctrl+r,f5", "refresh", "Ask the server anew.", Place.REPORT, footer=False),
    Action("report_back", "escape,dollar_sign", "back", "Back to the job list.", Place.REPORT),
    Action("alert_job", "enter", "detail", "Everything about the job of the alert.", Place.ALERTS),
    Action("alert_log", "l", "log", "The job's log; of one that failed, at its first error.", Place.ALERTS),
    Action("alert_seen", "space", "seen", "Told no more, unless it comes anew.", Place.ALERTS, acts=True),
    Action(
        "alerts_seen",
        "S",
        "all seen",
        "Take all that fires for seen.",
        Place.ALERTS,
        acts=True,
        footer=False,
    ),
    Action(
        "alert_snooze", "z", "snooze", "Told no more for a while; asks how long.", Place.ALERTS, acts=True
    ),
    Action(
        "alert_silence",
        "m",
        "mute",
        "Tell of this rule no more for this job; asks first.",
        Place.ALERTS,
        acts=True,
    ),
    Action(
        "alert_rules",
        "r",
        "rules",
        "What you are told, where, and when not.",
        Place.ALERTS,
        needs=Feature.ALERTS,
    ),
    Action("alerts_refresh", "ctrl+r,f5", "refresh", "Ask the context anew.", Place.ALERTS, footer=False),
    Action("alerts_back", "escape,A", "back", "Back to where it was opened.", Place.ALERTS),
    Action("wishes_save", "f2", "save", "Keep the rules and the quiet hours.", Place.WISHES, acts=True),
    Action(
        "channel_add", "f3", "add channel", "Another place that alerts are sent to.", Place.WISHES, acts=True
    ),
    Action(
        "channel_try", "f4", "send me one", "Send one message to the channel, now.", Place.WISHES, acts=True
    ),
    Action(
        "channel_remove",
        "f6",
        "remove",
        "Send nothing to the channel any more; asks.",
        Place.WISHES,
        acts=True,
    ),
    Action("wishes_help", "f1", "help", "The keys of this screen.", Place.WISHES, does="app.help"),
    Action("wishes_back", "escape", "back", "Back; asks where something was changed.", Place.WISHES),
    Action("port_new", "n", "another", "Ask for another port of the job.", Place.PORTS),
    Action("port_url", "u", "copy URL", "Copy the address to open here, with its token.", Place.PORTS),
    Action("port_ssh", "s", "copy ssh", "Copy the command for your own machine.", Place.PORTS),
    Action("port_end", "d", "end", "End the forward and its connections.", Place.PORTS),
    Action("ports_back", "escape,p", "back", "Back; the forwards go on.", Place.PORTS),
    Action("log_in", "f2", "log in", "Log in with what is filled in.", Place.LOGIN),
    Action("register", "f3", "new account", "Make an account, where the server lets everybody.", Place.LOGIN),
    Action("log_out", "f4", "log out", "Make the login invalid, here and on the server.", Place.LOGIN),
    Action("login_help", "f1", "help", "The keys of this screen.", Place.LOGIN, does="app.help"),
    Action("login_leave", "escape", "leave", "Back to the list, without a login.", Place.LOGIN),
)


def actions(where: Place, *, read_only: bool = False) -> list[Action]:
    """Return the actions of one place, then those of the app; where read-only, without the acting ones."""
    return [
        action
        for place in (where, Place.APP)
        for action in ACTIONS
        if action.where == place and not (read_only and action.acts)
    ]

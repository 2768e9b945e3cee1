"""ONE table of what a person can do: bindings, footer, help, palette, user keymap and README come from it.

Imports no Textual: the command line and the README's generator read it too.
"""

from enum import StrEnum
from typing import NamedTuple

from backend_client.protocol import Feature, Verb


class Where(StrEnum):
    """What has the focus. The footer shows the actions of one place, in the table's order."""

    APP = "everywhere"
    LIST = "job list"
    LOG = "log"
    FORM = "job form"
    PLAN = "plan of a new job"
    DETAIL = "job detail"
    PLOT = "loss plot"
    HISTORY = "history"
    LOGIN = "login"


_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "ampersand": "&",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


class Action(NamedTuple):
    """`id` is the binding's id (`keys.<id>` in the settings file) and names the handler `action_<id>`."""

    id: str
    key: str
    """Textual key names, comma-separated; the first one is shown."""
    words: str
    """What the footer says."""
    help: str
    """One sentence."""
    where: Where
    acts: bool = False
    """Changes something: absent in read-only mode."""
    footer: bool = True
    needs: Verb | Feature | None = None
    """What must be allowed, or there: else it is grey, and says why."""

    @property
    def shown_keys(self) -> list[str]:
        """The keys as people write them."""
        return [_SHOWN.get(key, key) for key in self.key.split(",")]

    @property
    def shown_key(self) -> str:
        return self.shown_keys[0]


_RESUME = "Go on with a stopped job; finish one that is half made."
_AS_JOB = "Stop a deployment, and run it as a job; asks first."

ACTIONS: tuple[Action, ...] = (
    Action("detail", "enter", "detail", "Everything about the job under the cursor.", Where.LIST),
    Action("new", "n", "new", "Fill in a new job.", Where.LIST, acts=True, needs=Verb.CREATE),
    Action("log", "l", "log", "The job's log, full screen.", Where.LIST),
    Action("tile", "L", "log beside", "Put the job's log beside, or away.", Where.LIST, footer=False),
    Action("stop", "x", "stop", "Stop the job; asks first.", Where.LIST, acts=True, needs=Verb.STOP),
    Action(
        "delete",
        "d",
        "delete",
        "Delete the job and its log; asks first.",
        Where.LIST,
        acts=True,
        needs=Verb.DELETE,
    ),
    Action(
        "again",
        "r",
        "run again",
        "A new job, filled in like this one.",
        Where.LIST,
        acts=True,
        needs=Verb.CREATE,
    ),
    Action(
        "resume",
        "u",
        "resume",
        _RESUME,
        Where.LIST,
        acts=True,
        footer=False,
        needs=Verb.RESUME,
    ),
    Action(
        "as_job",
        "J",
        "as job",
        _AS_JOB,
        Where.LIST,
        acts=True,
        footer=False,
        needs=Verb.CREATE,
    ),
    Action("filter", "slash", "filter", "Show only jobs that have these words.", Where.LIST),
    Action("order", "o", "order", "Change the order of the list.", Where.LIST, footer=False),
    Action("group", "O", "group", "Put jobs together by state, by owner, or not.", Where.LIST, footer=False),
    Action("mark", "space", "mark", "Mark the job: stop, delete, resume mean all marked.", Where.LIST),
    Action("unmark", "escape", "unmark", "Take all marks away.", Where.LIST, footer=False),
    Action("watch", "b", "watch", "A bell and a notification when the job ends.", Where.LIST, footer=False),
    Action("yaml", "y", "YAML", "The job's spec file.", Where.LIST, footer=False),
    Action(
        "history",
        "h",
        "history",
        "Jobs that were, also deleted ones.",
        Where.LIST,
        footer=False,
        needs=Feature.HISTORY,
    ),
    Action("context", "c", "context", "Where jobs run: switch the context.", Where.APP, footer=False),
    Action("account", "a", "account", "Log in, log out, or as somebody else.", Where.APP, footer=False),
    Action("focus_next", "tab", "next pane", "Go to the next pane.", Where.APP, footer=False),
    Action("help", "question_mark", "help", "The keys of what has the focus.", Where.APP),
    Action("command_palette", "ctrl+p", "palette", "All actions by name.", Where.APP, footer=False),
    Action("quit", "q", "quit", "Leave traindeck; jobs go on.", Where.APP, footer=False),
    Action("search", "slash", "search", "Search in the log (text, or /regex/).", Where.LOG),
    Action("next_match", "n", "next", "The next match.", Where.LOG),
    Action("previous_match", "N", "previous", "The match before.", Where.LOG, footer=False),
    Action("first_error", "e", "error", "The first error: what failed, not what followed.", Where.LOG),
    Action("follow", "f,G", "follow", "Go to the end and stay there.", Where.LOG),
    Action("pause", "space", "pause", "Stand still, and go on.", Where.LOG, footer=False),
    Action("only", "ampersand", "only", "Hide lines without this (text, or /regex/).", Where.LOG),
    Action("rank_after", "right_square_bracket", "rank", "The next rank only, or all.", Where.LOG),
    Action(
        "rank_before",
        "left_square_bracket",
        "rank before",
        "The rank before only, or all.",
        Where.LOG,
        footer=False,
    ),
    Action("log_tile", "L", "beside", "Put this log beside, or away.", Where.LOG, footer=False),
    Action("log_mark", "m", "mark", "Mark a line; two tell the time between them.", Where.LOG, footer=False),
    Action("timestamps", "t", "times", "Show when each line was written.", Where.LOG),
    Action("wrap", "z", "wrap", "Wrap long lines, or cut them.", Where.LOG),
    Action("save", "S", "save", "Save the whole log to a file.", Where.LOG),
    Action("copy", "Y", "copy", "Copy the lines on screen.", Where.LOG),
    Action("plot", "v", "plot", "The loss over the steps, as the log tells it.", Where.LOG, footer=False),
    Action("back", "escape", "back", "Back to the job list.", Where.LOG),
    Action("submit", "f2", "submit", "Run this job.", Where.FORM, acts=True),
    Action("plan", "f3", "YAML", "The exact objects that would be made.", Where.FORM),
    Action("more", "f4", "more", "Show or fold the rest of the fields.", Where.FORM),
    Action("template", "f5", "template", "Fill in from a template of the settings.", Where.FORM),
    Action("edit", "ctrl+e", "edit", "The command in your editor ($VISUAL, $EDITOR).", Where.FORM),
    Action("leave", "escape", "leave", "Back to the list; asks where something was typed.", Where.FORM),
    Action("form_help", "f1", "help", "The keys of the form.", Where.FORM),
    Action("plan_save", "S", "save", "Save the spec file; `submit -f` takes it.", Where.PLAN),
    Action("plan_back", "escape,f3", "back", "Back to the form.", Where.PLAN),
    Action("detail_log", "l", "log", "The job's log, full screen.", Where.DETAIL),
    Action("detail_plot", "v", "plot", "The loss over the steps, as the log tells it.", Where.DETAIL),
    Action("detail_yaml", "y", "YAML", "The job's spec file.", Where.DETAIL),
    Action(
        "detail_resume",
        "u",
        "resume",
        _RESUME,
        Where.DETAIL,
        acts=True,
        footer=False,
        needs=Verb.RESUME,
    ),
    Action(
        "detail_as_job",
        "J",
        "as job",
        _AS_JOB,
        Where.DETAIL,
        acts=True,
        footer=False,
        needs=Verb.CREATE,
    ),
    Action(
        "detail_again",
        "r",
        "run again",
        "A new job, filled in like this one.",
        Where.DETAIL,
        acts=True,
        needs=Verb.CREATE,
    ),
    Action("detail_stop", "x", "stop", "Stop the job; asks first.", Where.DETAIL, acts=True, needs=Verb.STOP),
    Action(
        "detail_delete",
        "d",
        "delete",
        "Delete the job and its log; asks first.",
        Where.DETAIL,
        acts=True,
        needs=Verb.DELETE,
    ),
    Action("detail_back", "escape", "back", "Back to the job list.", Where.DETAIL),
    Action("plot_back", "escape,v", "back", "Back to where it was opened.", Where.PLOT),
    Action("history_filter", "slash", "filter", "Show only jobs that have these words.", Where.HISTORY),
    Action("history_back", "escape", "back", "Back to the job list.", Where.HISTORY),
    Action("log_in", "f2", "log in", "Log in with what is filled in.", Where.LOGIN),
    Action("register", "f3", "new account", "Make an account, where the server lets everybody.", Where.LOGIN),
    Action("log_out", "f4", "log out", "Make the login invalid, here and on the server.", Where.LOGIN),
    Action("login_help", "f1", "help", "The keys of this screen.", Where.LOGIN),
    Action("login_leave", "escape", "leave", "Back to the list, without a login.", Where.LOGIN),
)


def actions(where: Where, *, read_only: bool = False) -> list[Action]:
    """The actions of one place, then those of the whole program; without the acting ones where read-only."""
    return [
        action
        for place in (where, Where.APP)
        for action in ACTIONS
        if action.where == place and not (read_only and action.acts)
    ]

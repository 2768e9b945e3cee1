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
    PLOT = "loss plot"
    HISTORY = "history"
    LOGIN = "login"


_KEY_SIGNS = {
    "question_mark": "?",
    "slash": "/",
    "ampersand": "&",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
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
    return action._replace(
        id=f"detail_{action.id}",
        where=Place.DETAIL,
        does=action.id,
        footer=action.footer if footer is None else footer,
    )


_LOG = Action("log", "l", "log", "The job's log, full screen.", Place.LIST)
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
    "run again",
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
_YAML = Action("yaml", "y", "YAML", "The job's spec file.", Place.LIST, footer=False)
_PLOT = Action("plot", "v", "plot", "The loss over the steps, as the log tells it.", Place.LOG, footer=False)

ACTIONS: tuple[Action, ...] = (
    Action("detail", "enter", "detail", "Everything about the job under the cursor.", Place.LIST),
    Action("new", "n", "new", "Fill in a new job.", Place.LIST, acts=True, needs=Verb.CREATE),
    _LOG,
    Action("tile", "L", "log beside", "Put the job's log beside, or away.", Place.LIST, footer=False),
    _STOP,
    _DELETE,
    _AGAIN,
    _RESUME,
    _AS_JOB,
    Action("filter", "slash", "filter", "Show only jobs that have these words.", Place.LIST),
    Action("order", "o", "order", "Change the order of the list.", Place.LIST, footer=False),
    Action("group", "O", "group", "Put jobs together by state, by owner, or not.", Place.LIST, footer=False),
    Action("mark", "space", "mark", "Mark the job: stop, delete, resume mean all marked.", Place.LIST),
    Action("unmark", "escape", "unmark", "Take all marks away.", Place.LIST, footer=False),
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
    Action("context", "c", "context", "Where jobs run: switch the context.", Place.APP, footer=False),
    Action("account", "a", "account", "Log in, log out, or as somebody else.", Place.APP, footer=False),
    Action("focus_next", "tab", "next pane", "Go to the next pane.", Place.APP, footer=False),
    Action("help", "question_mark", "help", "The keys of what has the focus.", Place.APP),
    Action("command_palette", "ctrl+p", "palette", "All actions by name.", Place.APP, footer=False),
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
    Action("edit", "ctrl+e", "edit", "The command in your editor ($VISUAL, $EDITOR).", Place.FORM),
    Action("leave", "escape", "leave", "Back to the list; asks where something was typed.", Place.FORM),
    Action("form_help", "f1", "help", "The keys of the form.", Place.FORM, does="app.help"),
    Action("plan_save", "S", "save", "Save the spec file; `submit -f` takes it.", Place.PLAN),
    Action("plan_back", "escape,f3", "back", "Back to the form.", Place.PLAN),
    _in_detail(_LOG),
    _in_detail(_PLOT, footer=True),
    _in_detail(_YAML, footer=True),
    _in_detail(_RESUME),
    _in_detail(_AS_JOB),
    _in_detail(_AGAIN),
    _in_detail(_STOP),
    _in_detail(_DELETE),
    Action("detail_back", "escape", "back", "Back to the job list.", Place.DETAIL),
    Action("plot_back", "escape,v", "back", "Back to where it was opened.", Place.PLOT),
    Action("history_filter", "slash", "filter", "Show only jobs that have these words.", Place.HISTORY),
    Action("history_back", "escape", "back", "Back to the job list.", Place.HISTORY),
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

"""Authorization: which caller may do which action. One function decides for every route."""

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import ColumnElement, true

from backend.auth.caller import Caller, current_caller
from backend.db.models import JobRow
from backend_client.errors import Forbidden, NotFound
from backend_client.protocol import AccessDecision
from backend_client.server.roles import Role


class Action(StrEnum):
    """An action that a caller can request."""

    SEE = "see"
    """A job, its log, its events; the clusters and what is free there."""
    CREATE = "create"
    STOP = "stop"
    EXTEND = "extend"
    """Raise the time limit of a job."""
    RESUME = "resume"
    DELETE = "delete"
    EXEC = "exec"
    """Run a command in a job, or connect to a port of it."""
    QUEUE = "queue"
    """Change how a waiting job is queued: its priority, its hold, its queue."""
    CODE = "code"
    """Get the code that a job was made with."""
    ACKNOWLEDGE = "acknowledge"
    """Note that an alert of a job was seen, or silence it for a while."""
    SELF = "self"
    """One's own account: password, tokens; what alerts one wants, and where."""
    PEOPLE = "people"
    CLUSTERS = "clusters"
    AUDIT = "audit"
    METRICS = "metrics"
    """The server in figures; they name owners."""


_WRITE_ACTIONS = frozenset(
    {
        Action.CREATE,
        Action.STOP,
        Action.EXTEND,
        Action.RESUME,
        Action.DELETE,
        Action.EXEC,
        Action.QUEUE,
        Action.ACKNOWLEDGE,
    }
)
_ADMIN_ACTIONS = frozenset({Action.PEOPLE, Action.CLUSTERS, Action.AUDIT, Action.METRICS})
_ALLOWED = AccessDecision(allowed=True)
_VIEWER_HINT = "Viewers change nothing; an admin of this server can make you a researcher."


def may(caller: Caller, action: Action, job_owner_id: int | None = None) -> AccessDecision:
    """Decide whether a caller may do an action, to a job of this person (None: to no job in particular)."""
    if caller.role is Role.ADMIN:
        return _ALLOWED
    if action in _ADMIN_ACTIONS:
        return AccessDecision(False, f"{caller.name} is a {caller.role}; this is for admins.")
    if job_owner_id is not None and not sees(caller, job_owner_id):
        return AccessDecision(False, "There is no such job of yours.")
    if action is Action.CODE and job_owner_id != caller.user_id:
        return AccessDecision(False, "The code of a job is given to its owner and to admins.")
    if action in _WRITE_ACTIONS and caller.role is Role.VIEWER:
        return AccessDecision(False, _VIEWER_HINT)
    return _ALLOWED


def sees(caller: Caller, job_owner_id: int) -> bool:
    """Tell whether a caller may see the jobs of a person."""
    return caller.team is None or job_owner_id == caller.user_id or job_owner_id in caller.team


def require(caller: Caller, action: Action, job_owner_id: int | None = None, name: str = "") -> None:
    """Require that a caller may do an action. Raises Forbidden, or NotFound for the job of another person.

    So nobody learns which jobs others have.
    """
    decision = may(caller, action, job_owner_id)
    if decision.allowed:
        return
    if job_owner_id is not None and not sees(caller, job_owner_id):
        raise NotFound(f"There is no job {name}.".replace(" .", "."))
    raise Forbidden(decision.why)


def visible_users(caller: Caller) -> frozenset[int] | None:
    """Return the ids of the people whose jobs a caller may see; None is everybody's."""
    return None if caller.team is None else caller.team | {caller.user_id}


def visible_rows(caller: Caller) -> ColumnElement[bool]:
    """Return the condition for the rows of jobs that a caller may see, for the WHERE of every list."""
    users = visible_users(caller)
    return true() if users is None else JobRow.user_id.in_(users)


def allowed(action: Action) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Make the dependency that gives a route its caller, who may do `action`.

    It raises LoginNeeded, Forbidden.
    """

    async def check(caller: Annotated[Caller, Depends(current_caller)]) -> Caller:
        require(caller, action)
        return caller

    return check

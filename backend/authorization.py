"""Who may do what. One function decides, and every route asks it."""

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import ColumnElement, true

from backend.auth.caller import Caller, Role, current_caller
from backend.db.models import JobRow
from backend_client.errors import Forbidden, NotFound
from backend_client.protocol import AccessDecision


class Action(StrEnum):
    """What can be asked of the server."""

    SEE = "see"
    """A job, its log, its events; the clusters and what is free there."""
    CREATE = "create"
    STOP = "stop"
    RESUME = "resume"
    DELETE = "delete"
    SELF = "self"
    """One's own account: password, tokens."""
    PEOPLE = "people"
    CLUSTERS = "clusters"
    AUDIT = "audit"


_WRITE_ACTIONS = frozenset({Action.CREATE, Action.STOP, Action.RESUME, Action.DELETE})
_ADMIN_ACTIONS = frozenset({Action.PEOPLE, Action.CLUSTERS, Action.AUDIT})
_ALLOWED = AccessDecision(allowed=True)
_VIEWER_HINT = "Viewers change nothing; an admin of this server can make you a researcher."


def may(caller: Caller, action: Action, job_owner_id: int | None = None) -> AccessDecision:
    """Whether this caller may do it, to the job of this person (None: to no job in particular)."""
    if caller.role is Role.ADMIN:
        return _ALLOWED
    if action in _ADMIN_ACTIONS:
        return AccessDecision(False, f"{caller.name} is a {caller.role}; this is for admins.")
    if job_owner_id not in (None, caller.user_id):
        return AccessDecision(False, "There is no such job of yours.")
    if action in _WRITE_ACTIONS and caller.role is Role.VIEWER:
        return AccessDecision(False, _VIEWER_HINT)
    return _ALLOWED


def require(caller: Caller, action: Action, job_owner_id: int | None = None, name: str = "") -> None:
    """Raises Forbidden, or NotFound where the job is another's: nobody learns that it is there."""
    decision = may(caller, action, job_owner_id)
    if decision.allowed:
        return
    if job_owner_id not in (None, caller.user_id):
        raise NotFound(f"There is no job {name}.".replace(" .", "."))
    raise Forbidden(decision.why)


def visible_rows(caller: Caller) -> ColumnElement[bool]:
    """The rows of jobs that this caller may see, for the WHERE of every list."""
    return true() if caller.role is Role.ADMIN else JobRow.user_id == caller.user_id


def allowed(action: Action) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """The dependency of a route: its caller, who may do `action`. Raises LoginNeeded, Forbidden."""

    async def check(caller: Annotated[Caller, Depends(current_caller)]) -> Caller:
        require(caller, action)
        return caller

    return check

"""Who may do what. One function decides, and every route asks it."""

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import ColumnElement, true

from backend.auth.caller import Caller, caller
from backend.db.models import JobRow
from backend_client.errors import Forbidden, NotFound
from backend_client.protocol import AccessDecision
from backend_client.server.roles import Role


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


CHANGES = frozenset({Action.CREATE, Action.STOP, Action.RESUME, Action.DELETE})
RULES = frozenset({Action.PEOPLE, Action.CLUSTERS, Action.AUDIT})
YES = AccessDecision(allowed=True)
VIEWER = "Viewers change nothing; an admin of this server can make you a researcher."


def may(who: Caller, action: Action, job_owner_id: int | None = None) -> AccessDecision:
    """Whether this caller may do it, to the job of this person (None: to no job in particular)."""
    if who.role is Role.ADMIN:
        return YES
    if action in RULES:
        return AccessDecision(False, f"{who.name} is a {who.role}; this is for admins.")
    if job_owner_id not in (None, who.user_id):
        return AccessDecision(False, "There is no such job of yours.")
    if action in CHANGES and who.role is Role.VIEWER:
        return AccessDecision(False, VIEWER)
    return YES


def require(who: Caller, action: Action, job_owner_id: int | None = None, what: str = "") -> None:
    """Raises Forbidden, or NotFound where the job is another's: nobody learns that it is there."""
    verdict = may(who, action, job_owner_id)
    if verdict.allowed:
        return
    if job_owner_id not in (None, who.user_id):
        raise NotFound(f"There is no job {what}.".replace(" .", "."))
    raise Forbidden(verdict.why)


def visible(who: Caller) -> ColumnElement[bool]:
    """The rows of jobs that this caller may see, for the WHERE of every list."""
    return true() if who.role is Role.ADMIN else JobRow.user_id == who.user_id


def allowed(action: Action) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """The dependency of a route: its caller, who may do `action`. Raises LoginNeeded, Forbidden."""

    async def check(who: Annotated[Caller, Depends(caller)]) -> Caller:
        require(who, action)
        return who

    return check

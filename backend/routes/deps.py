"""Dependencies that the routes share: the runtime, the caller with a permission, the selected job."""

from typing import Annotated

from fastapi import Depends

from backend.auth.caller import Caller
from backend.authorization import Action, allowed
from backend.jobs.rows import JobSelector
from backend.runtime import Runtime, get_runtime

RuntimeDep = Annotated[Runtime, Depends(get_runtime)]

CurrentCaller = Annotated[Caller, Depends(allowed(Action.SELF))]
"""Whoever is logged in."""
CanSee = Annotated[Caller, Depends(allowed(Action.SEE))]
CanAcknowledge = Annotated[Caller, Depends(allowed(Action.ACKNOWLEDGE))]
CanCreate = Annotated[Caller, Depends(allowed(Action.CREATE))]
CanManageClusters = Annotated[Caller, Depends(allowed(Action.CLUSTERS))]
CanManageUsers = Annotated[Caller, Depends(allowed(Action.PEOPLE))]
CanReadAudit = Annotated[Caller, Depends(allowed(Action.AUDIT))]


def select_job(cluster: str = "", owner: str = "", uid: str = "") -> JobSelector:
    """Read from the query which of several jobs of one name is meant; `uid` is a precondition."""
    return JobSelector(cluster, owner, uid)


SelectedJob = Annotated[JobSelector, Depends(select_job)]

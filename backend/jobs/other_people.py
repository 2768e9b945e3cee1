"""What a caller is told of other people: figures always, names only where a setting of the server says so."""

from msgspec.structs import replace

from backend.auth.caller import Caller
from backend.authorization import sees
from backend.jobs.service import JobService
from backend_client.gpu_nodes import GpuNode, Holder, Whose


def may_name(jobs: JobService, caller: Caller, uid: str) -> bool:
    """Return whether the job with this uid may be named to the caller."""
    found = jobs.hub.find_owner(uid)
    if jobs.settings.show_others:
        return True
    return found is not None and sees(caller, found[1].user_id)


def as_seen_by(jobs: JobService, caller: Caller, node: GpuNode) -> GpuNode:
    """Return a machine as the caller may see it: whose each job is, and no name that is not theirs to see."""
    return replace(node, holders=tuple(_holder(jobs, caller, holder) for holder in node.holders))


def whose_job(jobs: JobService, caller: Caller, uid: str) -> Whose:
    """Return whose the job with this uid is, to the caller."""
    found = jobs.hub.find_owner(uid)
    if found and found[1].user_id == caller.user_id:
        return Whose.MINE
    return Whose.TEAM if found and caller.team and found[1].user_id in caller.team else Whose.OTHER


def _holder(jobs: JobService, caller: Caller, holder: Holder) -> Holder:
    found = jobs.hub.find_owner(holder.uid)
    owner = found[1] if found else None
    whose = whose_job(jobs, caller, holder.uid)
    if not may_name(jobs, caller, holder.uid):
        return Holder(gpus=holder.gpus, whose=whose, until=holder.until)
    return replace(holder, whose=whose, owner=owner.name if owner else holder.owner, namespace="")

"""Access reviews: may this caller do that to this job, by the server's own rules."""

from backend.auth.caller import Caller
from backend.authorization import Action, may, sees
from backend.clusters.cluster import Cluster
from backend.jobs.namespaces import namespace_of
from backend.jobs.service import JobService
from backend_client.errors import BackendError, fragment
from backend_client.protocol import AccessDecision, AccessReview, Feature, Verb

NOT_THERE = "There is no such job of yours."
_NEEDED = {Verb.RESUME: Feature.RESUME, Verb.EXEC: Feature.EXEC}
"""The feature of its cluster that a job needs for a verb."""


async def review(service: JobService, caller: Caller, asked: AccessReview) -> AccessDecision:
    """Decide an access review as `decide` does; of commands, by what the server may in its clusters too."""
    decision = decide(service, caller, asked)
    if asked.verb is not Verb.EXEC or not decision.allowed:
        return decision
    if asked.ref is None:
        found = [await _may_exec(service, caller, cluster, "") for cluster in service.clusters]
        allowed = [one for one in found if one.allowed is not False]
        return next(iter(allowed or found), decision)
    owned = service.hub.find_owner(asked.ref.uid)
    cached = service.hub.get(owned[0], asked.ref.uid) if owned else None
    if owned is None or cached is None:
        return AccessDecision(None, NOT_THERE)
    return await _may_exec(service, caller, service.clusters.get(owned[0]), cached.job.ref.namespace)


async def _may_exec(
    service: JobService, caller: Caller, cluster: Cluster, namespace: str
) -> AccessDecision:
    """Decide whether the server may run commands for a caller in a cluster; "": in their own namespace."""
    own = cluster.namespace or namespace_of(service.server_id, caller.name.casefold())
    try:
        return await cluster.may_exec(namespace or own)
    except BackendError as error:
        return AccessDecision(None, fragment(error.title))


def decide(service: JobService, caller: Caller, asked: AccessReview) -> AccessDecision:
    """Decide an access review; another user's job is as one that does not exist."""
    action = Action.SEE if asked.verb is Verb.LOGS else Action(asked.verb)
    if asked.ref is None:
        return may(caller, action)
    found = service.hub.find_owner(asked.ref.uid)
    if found is None:
        return AccessDecision(None, NOT_THERE)
    cluster, owner = found
    lacks = service.clusters.get(cluster).lacks
    decision = may(caller, action, owner.user_id)
    if decision.allowed and (why := lacks.get(_NEEDED.get(asked.verb, ""))):
        return AccessDecision(False, why)
    return decision if sees(caller, owner.user_id) else AccessDecision(None, NOT_THERE)

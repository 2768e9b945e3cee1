"""Access reviews: may this caller do that to this job, by the server's own rules."""

from backend.auth.caller import Caller
from backend.authorization import Action, may, sees
from backend.clusters.cluster import INTO_JOBS, Cluster
from backend.jobs.namespaces import namespace_of
from backend.jobs.service import JobService
from backend_client.errors import BackendError, fragment
from backend_client.protocol import AccessDecision, AccessReview, Feature, Verb

NOT_THERE = "There is no such job of yours."
_ACTIONS = {Verb.LOGS: Action.SEE, Verb.PORTS: Action.EXEC}
"""The verbs that are not called as their action is."""
_NEEDED = {Verb.RESUME: Feature.RESUME, Verb.EXEC: Feature.EXEC, Verb.PORTS: Feature.PORTS}
"""The feature of its cluster that a job needs for a verb."""


async def review(service: JobService, caller: Caller, asked: AccessReview) -> AccessDecision:
    """Decide an access review as `decide` does; into jobs, by what the server may in its clusters too."""
    decision = decide(service, caller, asked)
    if asked.verb not in INTO_JOBS or not decision.allowed:
        return decision
    if asked.ref is None:
        found = [await _may_enter(service, caller, cluster, asked.verb) for cluster in service.clusters]
        allowed = [one for one in found if one.allowed is not False]
        return next(iter(allowed or found), decision)
    owned = service.hub.find_owner(asked.ref.uid)
    cached = service.hub.get(owned[0], asked.ref.uid) if owned else None
    if owned is None or cached is None:
        return AccessDecision(None, NOT_THERE)
    cluster, namespace = service.clusters.get(owned[0]), cached.job.ref.namespace
    return await _may_enter(service, caller, cluster, asked.verb, namespace)


async def _may_enter(
    service: JobService, caller: Caller, cluster: Cluster, verb: Verb, namespace: str = ""
) -> AccessDecision:
    """Decide whether the server can get into jobs of a namespace; "" is that of the caller's own."""
    own = cluster.namespace or namespace_of(service.server_id, caller.name.casefold())
    try:
        return await cluster.may_enter(verb, namespace or own)
    except BackendError as error:
        return AccessDecision(None, fragment(error.title))


def decide(service: JobService, caller: Caller, asked: AccessReview) -> AccessDecision:
    """Decide an access review; another user's job is as one that does not exist."""
    action = _ACTIONS.get(asked.verb) or Action(asked.verb)
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

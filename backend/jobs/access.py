"""Access reviews: may this caller do that to this job, by the server's own rules."""

from backend.auth.caller import Caller
from backend.authorization import Action, may, sees
from backend.jobs.service import JobService
from backend_client.protocol import AccessDecision, AccessReview, Feature, Verb
from backend_client.server.capabilities import NOT_PASSED_ON

NOT_THERE = "There is no such job of yours."


def decide(service: JobService, caller: Caller, review: AccessReview) -> AccessDecision:
    """Decide an access review; another user's job is as one that does not exist."""
    if review.verb is Verb.EXEC:
        return AccessDecision(False, NOT_PASSED_ON[Feature.EXEC])
    action = Action.SEE if review.verb is Verb.LOGS else Action(review.verb)
    if review.ref is None:
        return may(caller, action)
    found = service.hub.find_owner(review.ref.uid)
    if found is None:
        return AccessDecision(None, NOT_THERE)
    cluster, owner = found
    lacks = service.clusters.get(cluster).backend.missing_features
    decision = may(caller, action, owner.user_id)
    if decision.allowed and review.verb is Verb.RESUME and Feature.RESUME in lacks:
        return AccessDecision(False, lacks[Feature.RESUME])
    return decision if sees(caller, owner.user_id) else AccessDecision(None, NOT_THERE)

"""Permissions and features of the context in use: what cannot be done there, and why."""

from backend_client.errors import BackendError
from backend_client.protocol import AccessReview, Feature, JobBackend, Verb

_FEATURE = {Verb.RESUME: Feature.RESUME, Verb.EXEC: Feature.EXEC, Verb.PORTS: Feature.PORTS}
"""The feature that a verb needs beside being allowed."""


class Permissions:
    """Permissions of one login. What is not known counts as allowed: the context has the last word."""

    def __init__(self, backend: JobBackend | None = None) -> None:
        self._backend = backend
        self._refused: dict[Verb, str] = {}

    async def load(self, namespace: str) -> bool:
        """Ask the backend what this person may do in a namespace; True where that differs from before."""
        if self._backend is None:
            return False
        features = self._backend.features
        reviews = [
            AccessReview(verb, namespace=namespace)
            for verb in Verb
            if verb not in _FEATURE or _FEATURE[verb] in features
        ]
        try:
            decisions = await self._backend.check_access(reviews)
        except BackendError:
            return False
        before = self._refused
        self._refused = {
            review.verb: decision.why or "You may not do that here."
            for review, decision in zip(reviews, decisions, strict=True)
            if decision.allowed is False
        }
        return before != self._refused

    def why_not(self, needs: Verb | Feature | None) -> str:
        """Return why a verb or feature cannot be used, as a sentence; "" if nothing is known against it."""
        if needs is None or self._backend is None:
            return ""
        feature = needs if isinstance(needs, Feature) else _FEATURE.get(needs)
        if feature and feature not in self._backend.features:
            return self._backend.missing_features.get(feature, "") or f"This context has no {feature}."
        return self._refused.get(needs, "") if isinstance(needs, Verb) else ""

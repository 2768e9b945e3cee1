"""What cannot be done in the context in use, and why: what it lacks, and what this person may not."""

from typing import TYPE_CHECKING

from backend_client.errors import BackendError
from backend_client.protocol import AccessReview, Feature, Verb

if TYPE_CHECKING:
    from backend_client.protocol import JobBackend

_FEATURE = {Verb.RESUME: Feature.RESUME}
"""What a verb needs beside being allowed."""


class Permissions:
    """Asked once for each login. What is not known counts as allowed: the context has the last word."""

    def __init__(self, backend: "JobBackend | None" = None) -> None:
        self._backend = backend
        self._refused: dict[Verb, str] = {}

    async def ask(self, namespace: str) -> bool:
        """Ask what this person may do there; True where the answer is another than before."""
        if self._backend is None:
            return False
        asks = [AccessReview(verb, namespace=namespace) for verb in Verb]
        try:
            verdicts = await self._backend.check_access(asks)
        except BackendError:
            return False
        before, self._refused = (
            self._refused,
            {
                ask.verb: verdict.why or "You may not do that here."
                for ask, verdict in zip(asks, verdicts, strict=True)
                if verdict.allowed is False
            },
        )
        return before != self._refused

    def why_not(self, needs: Verb | Feature | None) -> str:
        """The reason in words; empty where nothing is known against it."""
        if needs is None or self._backend is None:
            return ""
        feature = needs if isinstance(needs, Feature) else _FEATURE.get(needs)
        if feature and feature not in self._backend.features:
            return self._backend.missing_features.get(feature, "") or f"This context has no {feature}."
        return self._refused.get(needs, "") if isinstance(needs, Verb) else ""

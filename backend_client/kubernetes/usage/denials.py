"""What sources have refused, remembered for a while: the next try would only meet it again."""

from collections.abc import Callable

from backend_client.errors import BackendError, Forbidden, NotFound, Refused

DENIED_SECONDS = 300.0
"""What may not be read, or is not there, is tried again after so long."""


class Denials:
    """The refusals of the last minutes, by what was asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._denied: dict[str, tuple[float, BackendError]] = {}
        """Question -> until when it is not asked again, and what was said."""

    def keep(self, question: str, error: BackendError) -> None:
        """Remember what was said, where it is a refusal: another error may be over the next time."""
        if isinstance(error, Forbidden | NotFound | Refused) and question not in self._denied:
            self._denied[question] = self._clock() + DENIED_SECONDS, error

    def check(self, question: str) -> None:
        """Raise what was said to a question a while ago, if anything was."""
        until, error = self._denied.get(question, (0.0, None))
        if error and self._clock() < until:
            raise error
        self._denied.pop(question, None)

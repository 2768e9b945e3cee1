"""The errors of backends. Each has a `title` (what failed, on what object), a `hint` (what to do next) and
an exit code of the command line.

BackendError            1  the base; nothing else leaves a backend, save for defects
├── Invalid             2  the request is wrong in itself: HTTP 422
├── Refused             1  a right request that this context does not honour: 400
│   └── Conflict        1  a name is taken, a uid has changed, a state forbids it: 409
├── NotFound            3  no such object: 404
├── Unreachable         4  the other side did not answer: 503
├── Forbidden           5  this caller may not do that: 403
└── LoginNeeded         5  nobody is logged in: 401

The class names are part of the HTTP API (`kind` in problem+json, server/bodies.py).
"""

from collections.abc import Mapping


class BackendError(Exception):
    """The base of all errors that a backend raises on purpose. Anything else is a defect."""

    exit_code = 1

    def __init__(self, title: str, hint: str = "", *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint
        self.fields: dict[str, str] = dict(fields or {})
        """JobSpec field -> what is wrong with it, where the error belongs to fields."""

    def __str__(self) -> str:
        return f"{self.title}\n{self.hint}" if self.hint else self.title


class Invalid(BackendError):
    """The request is wrong in itself; no context would take it. Always names its fields."""

    exit_code = 2

    def __init__(self, fields: Mapping[str, str], title: str = "", hint: str = "") -> None:
        sentence = title or "; ".join(f"{name}: {message}" for name, message in fields.items())
        super().__init__(sentence, hint, fields=fields)


class Refused(BackendError):
    """A right request that this context, now, does not honour: a field it lacks, too many GPUs."""


class Conflict(Refused):
    """The object is not what the caller thinks: a name is taken, a uid has changed, a state forbids it."""


class NotFound(BackendError):
    """No such object, by this name or uid."""

    exit_code = 3


class Unreachable(BackendError):
    """The other side did not answer. The request may or may not have been done: repeat it with its key."""

    exit_code = 4

    def __init__(self, title: str, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(title, hint)
        self.retry_after = retry_after
        """Seconds, where the other side named them."""


class Forbidden(BackendError):
    """This caller may not do that."""

    exit_code = 5


class LoginNeeded(BackendError):
    """Nobody is logged in, or the session has ended."""

    exit_code = 5

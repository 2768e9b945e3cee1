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

Title and hint are sentences: a capital letter first, unless they begin with a name, a path, a host, a command
or another program's words, as written; a full stop last, unless a hint ends with a command, an address or a
variable, to be copied. The messages of fields are fragments: lower case, no stop, as they stand behind the
field's name; so a title that only lists fields ("gpus: asks for 9; ...") is one too. What stands behind a
word or a dash (`Freshness.why`, `Closed.why`, `Gap.why`, `DeleteStep.message`, `Capacity.unknown_because`,
`ContextInfo.unavailable`) is a fragment: `fragment` makes one of a title, `sentence` the reverse.
"""

from collections.abc import Mapping

_OPENERS = frozenset(
    "A All Another At It Local No Nobody None Nothing Others Status The There This Too You".split()
)
"""The words that titles begin with. Any other first word may be a name, which keeps its letters."""


def fragment(text: str) -> str:
    """Return a title, or a whole error as text, as a fragment: "There is no job." -> "there is no job"."""
    first, _, rest = text.partition(" ")
    lowered = f"{first.lower()} {rest}" if first in _OPENERS and rest else text
    return lowered.removesuffix(".")


def sentence(text: str) -> str:
    """Return a fragment, or another program's message, as a sentence; "" stays ""."""
    text = text.strip()
    first, _, rest = text.partition(" ")
    raised = f"{first.capitalize()} {rest}" if first.capitalize() in _OPENERS and rest else text
    return raised if raised.endswith((".", "!", "?", "…")) else raised and f"{raised}."


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

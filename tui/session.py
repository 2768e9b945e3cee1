"""The session: what all screens of one run of the program share. The App owns it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol, cast

from textual.dom import DOMNode

from backend_client.contexts import Contexts
from backend_client.ports.forwards import Forwards
from backend_client.protocol import JobBackend, Scope
from backend_client.ssh import over_ssh
from tui.bindings import ACTING
from tui.login.login_prompt import LoginPrompt
from tui.messages import AppRequest, RecheckPermissions, RequestHandler
from tui.permissions import Permissions
from tui.settings.model import Settings


def _ignore(_request: AppRequest) -> None:
    """Answer nothing: where there is no TraindeckApp, there are no other screens."""


class Session:
    """Settings and options of this run, the context in use, and what is known of this person there."""

    def __init__(
        self,
        contexts: Contexts,
        *,
        context: str,
        namespace: str = "",
        all_namespaces: bool = False,
        read_only: bool = False,
        settings: Settings | None = None,
        request: RequestHandler = _ignore,
    ) -> None:
        """Start a session in `context`, a name; `request` hands a request to the App, which answers it."""
        self.settings = settings or Settings()
        self.contexts = contexts
        self.context = context
        self.namespace = namespace
        self.all_namespaces = all_namespaces
        self._first_scope = namespace, all_namespaces
        self.read_only = read_only or self.settings.read_only
        self.keys: Mapping[str, str] = self.settings.keys
        """Action id -> the keys that a person chose for it."""
        self.request = request
        self.permissions = Permissions()
        self.login_prompt = LoginPrompt(contexts, lambda: self.context, request)
        self.tick = 0.25 if over_ssh() else 0.1
        """Seconds between two repaints of what has changed."""
        self.slow_deletions: set[str] = set()
        """Uids of jobs whose deletion may be left to their context."""
        self.watched: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """Context -> uid -> name of the jobs whose end is announced."""
        self.announced_ends: defaultdict[str, set[str]] = defaultdict(set)
        """Context -> uids of watched jobs whose end was announced: no alert tells of it once more."""
        self.alert_memory: dict[str, object] = {}
        """Context -> what its `AlertFeed` remembers, over the end of a screen."""
        self.forwards = Forwards(contexts)
        self._backend: JobBackend | None = None

    def use_context(self, name: str) -> None:
        """Go to another context; a namespace that was chosen on the screen stays with the one before."""
        self.context = name
        self.namespace, self.all_namespaces = self._first_scope

    def use_namespace(self, name: str) -> None:
        """Go to another namespace of the context in use; "" is all of them."""
        self.namespace, self.all_namespaces = name, not name

    def use_backend(self, backend: JobBackend) -> None:
        """Take up the backend of the context in use, with nothing known yet of the permissions there."""
        self._backend = backend
        self.permissions = Permissions(backend)

    def scope(self, backend: JobBackend) -> Scope:
        """Return where to list jobs, as kubectl does: the flag's namespace, the context's own, or all."""
        return Scope("" if self.all_namespaces else self.namespace or backend.namespace)

    def recheck_permissions(self) -> None:
        """Ask again what this person may do: somebody may have changed that."""
        self.request(RecheckPermissions())

    async def load_permissions(self) -> bool:
        """Ask the backend for this person's permissions; True where they differ from before.

        For all namespaces at once no backend can say it, so that nothing is asked there.
        """
        backend = self._backend
        if backend is None or (self.all_namespaces and backend.namespace):
            return False
        return await self.permissions.load(self.scope(backend).namespace)


class HasSession(Protocol):
    """An app whose screens have a session."""

    session: Session


def session_of(node: DOMNode) -> Session:
    """Return the session of the app that a screen or widget belongs to."""
    return cast("HasSession", node.app).session


class Guarded(DOMNode):
    """A screen whose acting keys do nothing, and are not offered, where the session is read-only.

    It stands behind Screen among the bases: Textual takes the styles of the first one alone.
    """

    @property
    def session(self) -> Session:
        return session_of(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ACTING and self.session.read_only:
            return False
        return super().check_action(action, parameters)

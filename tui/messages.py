"""What a screen asks of the App: to open another screen, to switch the context, to ask for permissions anew.

These requests go through `Session.request`, and the App answers at once. They are not Textual messages: a
posted message waits behind the keys that arrived together with its own, and these would still act on the
screen that is being left (typed in one burst, `n` opens the form and `u` would resume the job below it).

The Textual messages of widgets and screens are nested in their senders and written in one way: a
`@dataclass(eq=False)` where they have fields, an empty class where they have none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from backend_client.accounts import HasAccounts
from backend_client.alerts.alert import HasAlerts
from backend_client.logs import LogBuffer
from backend_client.models import Job, JobSpec
from backend_client.protocol import JobBackend, Scope

if TYPE_CHECKING:
    from backend_client.server.accounts import Account


class AppRequest(Struct, frozen=True):
    """Something that only the App can do."""


RequestHandler = Callable[[AppRequest], None]


class SwitchContext(AppRequest, frozen=True):
    """Begin anew in another context, on this screen alone; with `remember` also at the next start."""

    name: str
    remember: bool = False


class SwitchNamespace(AppRequest, frozen=True):
    """Begin anew in another namespace of the context in use; "" is all of them."""

    name: str


class RecheckPermissions(AppRequest, frozen=True):
    """Ask the context in use again what this person may do."""


class SendToTerminal(AppRequest, frozen=True):
    """Send the terminal something beside the picture: a bell, a notification."""

    sequence: str


class OpenShell(AppRequest, frozen=True):
    """Open a shell in a running job, with the app suspended."""

    job: Job


class OpenScreen(AppRequest, frozen=True):
    """Open a screen above this one. The App imports it when it is first opened."""


class OpenLog(OpenScreen, frozen=True):
    """Open the log of a job, full screen."""

    job: Job
    backend: JobBackend
    at_error: bool = False
    """Begin at its first error, once it is read to its end."""


class OpenPlot(OpenScreen, frozen=True):
    """Open the loss curve of a job."""

    job: Job
    backend: JobBackend
    buffer: LogBuffer | None = None
    """Its log, where that is in memory already."""


class OpenCompare(OpenScreen, frozen=True):
    """Open the series of several jobs, over one another."""

    jobs: Sequence[Job]
    backend: JobBackend


class OpenRanks(OpenScreen, frozen=True):
    """Open the ranks of a job, side by side."""

    job: Job
    backend: JobBackend


class OpenPorts(OpenScreen, frozen=True):
    """Open the forwards of this program, to reach a port of a job."""

    job: Job
    backend: JobBackend


class OpenForm(OpenScreen, frozen=True):
    """Open the form for a new job."""

    backend: JobBackend
    spec: JobSpec | None
    """What the form begins with: the spec of the job that is run again."""
    created: Callable[[Job], None]
    """Called with the job that the form has created."""
    before: Mapping[str, str] = {}
    """Field -> the text that the job had there, of those that `spec` changes: they are marked."""


class OpenHistory(OpenScreen, frozen=True):
    """Open the list of the jobs that the server remembers."""

    backend: JobBackend


class OpenReport(OpenScreen, frozen=True):
    """Open the sums of what was held and used."""

    backend: JobBackend


class OpenQueues(OpenScreen, frozen=True):
    """Open the queues of a context, and what waits in them."""

    backend: JobBackend
    scope: Scope


class OpenGpus(OpenScreen, frozen=True):
    """Open the machines with GPUs, and who holds them."""

    backend: JobBackend
    jobs: Mapping[str, Job]
    """The jobs of the list below, by uid, as they are at any time."""
    open_job: Callable[[Job], None]
    """Opens the detail of one of them."""


class OpenAlerts(OpenScreen, frozen=True):
    """Open the alerts of a context."""

    source: HasAlerts
    backend: JobBackend
    jobs: Mapping[str, Job]
    """The jobs of the list below, by uid, as they are at any time."""
    open_job: Callable[[Job], None]
    """Opens the detail of one of them."""
    changed: Callable[[], None]
    """Called after each change that the person makes."""
    uid: str = ""
    """Of the job whose newest alert the cursor begins on."""


class OpenText(OpenScreen, frozen=True):
    """Open a text to read."""

    title: str
    text: str


class OpenLogin(OpenScreen, frozen=True):
    """Open the login screen, unless it is open already."""

    source: HasAccounts
    account: "Account | None"
    """Whose server and name the screen begins with."""
    reason: str
    """What made a login necessary, as a sentence; "" where a person asked for the screen."""
    on_close: "Callable[[Account | None], None]"

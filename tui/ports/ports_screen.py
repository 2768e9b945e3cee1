"""The ports that are forwarded: asks for one of a job, shows what goes through each, and ends them."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backend_client.errors import BackendError
from backend_client.models import Job
from backend_client.ports.forwards import Forwards, Running
from backend_client.ports.found import FoundPort, named_port
from backend_client.ports.read import ports_of
from backend_client.protocol import JobBackend
from backend_client.text.ports import (
    NOT_PRIVATE,
    port_text,
    size_text,
    ssh_text,
    state_text,
    url_text,
)
from backend_client.text.sanitize import clean
from tui.actions import Place
from tui.bindings import bindings
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.format import fit
from tui.ui.pick_screen import Pick, PickScreen
from tui.ui.rows import Rows

LOOK_SECONDS = 1.0
_HEAD = (("JOB", 18), ("PORT", 20), ("HERE", 6), ("CONNECTIONS", 12), ("IN", 8), ("OUT", 8))


class PortsScreen(Screen[None]):
    """Looks at the forwards of the session each second."""

    CSS_PATH = "ports_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.PORTS
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.PORTS, "screen"),
        Binding("q", "screen.ports_back", show=False),
    ]

    def __init__(self, job: Job, backend: JobBackend, forwards: Forwards) -> None:
        """Ask which port of `job`, unless one of it is forwarded already."""
        super().__init__()
        self._job, self._backend, self._forwards = job, backend, forwards
        self._shown: list[Running] = []

    def compose(self) -> ComposeResult:
        yield Static(
            Content.styled(f" Ports on this machine  {clean(self._job.name, 60)}", "bold"), id="title"
        )
        yield Static(Content(" " + " ".join(fit(word, width) for word, width in _HEAD)), id="head")
        yield Rows()
        yield Static(id="about")
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self._show()
        self.set_interval(LOOK_SECONDS, self._show)
        if not any(one.forward.ref == self._job.ref for one in self._forwards.running):
            self.action_port_new()

    @property
    def _current(self) -> Running | None:
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def _show(self) -> None:
        rows, running = self.query_one(OptionList), list(self._forwards.running)
        lines = [Content(_line(one)) for one in running]
        if running == self._shown:
            for at, line in enumerate(lines):
                if rows.get_option_at_index(at).prompt != line:
                    rows.replace_option_prompt_at_index(at, line)
        else:
            self._shown = running
            rows.clear_options()
            rows.add_options(Option(line) for line in lines)
            rows.highlighted = len(running) - 1 if running else None
        self._show_about()

    def _show_about(self) -> None:
        one = self._current
        lines = _about(one) if one else ["No port is forwarded. n asks which one."]
        self.query_one("#about", Static).update(Content("\n".join(lines)))

    def on_option_list_option_highlighted(self) -> None:
        """Show what is known of the forward under the cursor."""
        self._show_about()

    def _say(self, words: str) -> None:
        self.query_one("#status", Static).update(Content(clean(words, 300)))

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_port_new(self) -> None:
        """Ask which port of the job, and forward it."""
        self._say(f"reading where {self._job.name} listens ...")
        try:
            found, note = await ports_of(self._backend, self._job), ""
        except BackendError as error:
            found, note = [], f"Its log cannot be read: {error.title}"
        self._say("")
        if not found and not note:
            note = "Nothing tells which port it listens on. Type its number."
        picks = [Pick(str(port.number), port.name) for port in found]
        title = f"Which port of {self._job.name}"
        chosen = await self.app.push_screen_wait(PickScreen(title, picks, note=note, free=True))
        if chosen:
            await self._start(chosen.strip(), {port.number: port for port in found})

    async def _start(self, chosen: str, found: dict[int, FoundPort]) -> None:
        if not (chosen.isascii() and chosen.isdigit() and 0 < int(chosen) < 65536):
            self._say(f"{chosen} is no port: 1 to 65535.")
            return
        number = int(chosen)
        port = found.get(number) or named_port(number)
        try:
            made = await self._forwards.start(self._job.ref, session_of(self).context, port)
        except BackendError as error:
            self._say(str(error).replace("\n", " "))
            return
        if made.forward.local_port != number:
            self._say(f"{number} is taken on this machine: {made.forward.local_port} in its place.")
        self._show()

    @work(group="end", exit_on_error=False)
    async def action_port_end(self) -> None:
        """End the forward under the cursor."""
        if one := self._current:
            await self._forwards.end(one)
            self._show()

    def action_port_url(self) -> None:
        """Copy the URL, with the token that the log has of it, which is not shown."""
        if one := self._current:
            url = url_text(one.forward, one.port, with_token=True)
            self._copy(url or f"localhost:{one.forward.local_port}", "The address")

    def action_port_ssh(self) -> None:
        """Copy the command for the person's own machine."""
        if one := self._current:
            self._copy(ssh_text(one.forward), "The ssh command")

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self._say(f"{what} is sent to the terminal's clipboard.")

    def action_ports_back(self) -> None:
        """Go back; the forwards go on."""
        self.dismiss(None)


def _line(one: Running) -> str:
    forward = one.forward
    connections = f"{forward.connections} ({forward.open} open)"
    cells = (
        clean(forward.ref.name, 60),
        port_text(one.port),
        str(forward.local_port),
        connections,
        size_text(forward.received),
        size_text(forward.sent),
    )
    return " " + " ".join(fit(cell, width) for cell, (_, width) in zip(cells, _HEAD, strict=True))


def _about(one: Running) -> list[str]:
    forward = one.forward
    lines = [f"state  {state_text(forward)}"]
    if url := url_text(forward, one.port):
        more = "  (u copies it with what the log has behind it)" if one.port.secret else ""
        lines.append(f"open   {url}{more}")
    return [*lines, f"on your own machine  {ssh_text(forward)}", NOT_PRIVATE]

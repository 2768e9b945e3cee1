"""Context name -> JobBackend. The one place that knows all ways to reach jobs.

Each way is a `Way`: it names its contexts and opens them. `Contexts` puts them beside each other, tells
names that meet apart (`k8s:NAME`), and decides which one is meant.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from backend_client.errors import NotFound, Refused
from backend_client.models.names import closest_match
from backend_client.private_files import write_private
from backend_client.protocol import JobBackend


class ContextInfo(Struct, frozen=True):
    """One context, as it is chosen and shown."""

    name: str
    """What a person types; KIND:NAME where two ways have the same name."""
    kind: str
    about: str = ""
    """What it reaches, in words."""
    unavailable: str = ""
    """Why it cannot be used here; empty where it can."""


class ContextSource(Protocol):
    """One way to reach jobs."""

    kind: str

    def contexts(self) -> Sequence[ContextInfo]:
        """All contexts of this way, by their plain names. No network."""
        ...

    def current(self) -> str:
        """The plain name that is meant where nobody has chosen any; empty where there is none."""
        ...

    def open(self, name: str) -> JobBackend:
        """The backend of one. No network; raises BackendError where what it needs is missing."""
        ...


class LocalContext:
    """This machine."""

    kind = "local"

    def __init__(
        self, *, enabled: bool = True, gpus: int = 0, grace: float = 10.0, log_cap: int = 2**28
    ) -> None:
        """`gpus`: slots where no driver tells; `grace`: seconds; `log_cap`: bytes an attempt."""
        self.enabled = enabled
        self.gpus = gpus
        self.grace = grace
        self.log_cap = log_cap

    def contexts(self) -> Sequence[ContextInfo]:
        hidden = "" if self.enabled else "the settings of this machine switch it off"
        return [ContextInfo("local", self.kind, "this machine", hidden)]

    def current(self) -> str:
        return "local" if self.enabled else ""

    def open(self, name: str) -> JobBackend:  # noqa: ARG002  there is one
        from backend_client.local.backend import LocalBackend  # noqa: PLC0415  the other ways do not need it

        return LocalBackend(gpus=self.gpus, grace=self.grace, log_cap=self.log_cap)


class Contexts:
    """All contexts of all ways, and which one is meant.

    `ways`: the weightiest first; `chosen_file` remembers what `traindeck use` and the `c` key chose.
    """

    def __init__(self, sources: Sequence[ContextSource], current_file: Path) -> None:
        self.sources = sources
        self._current_file = current_file

    def list_contexts(self) -> list[ContextInfo]:
        """All contexts, in the order of the ways."""
        return [info for info, _, _ in self._all()]

    def _all(self) -> list[tuple[ContextInfo, ContextSource, str]]:
        plain = [(info, way) for way in self.sources for info in way.contexts()]
        meeting = [info.name for info, _ in plain]
        return [
            (_qualified(info) if meeting.count(info.name) > 1 else info, way, info.name)
            for info, way in plain
        ]

    def default(self, flag: str = "", variable: str = "") -> str:
        """The context that is meant: flag, else TRAINDECK_CONTEXT, else the last chosen, else a way's own.

        Raises NotFound where the chosen one is no more: never the next in line.
        """
        for name, source in (
            (flag, "--context"),
            (variable, "TRAINDECK_CONTEXT"),
            (self._read_current(), "the last `traindeck use`"),
        ):
            if name:
                return self._find(name, source)[0].name
        for way in self.sources:
            if way.current():
                return self._find(f"{way.kind}:{way.current()}")[0].name
        raise Refused("No context is left to run jobs in.", self._reasons())

    def _reasons(self) -> str:
        return "; ".join(
            f"{info.name}: {info.unavailable}" for info in self.list_contexts() if info.unavailable
        )

    def open(self, name: str) -> JobBackend:
        """The backend of a context. Raises NotFound, Refused for a hidden one, or what opening it raises."""
        way, plain = self.source_of(name)
        return way.open(plain)

    def source_of(self, name: str) -> tuple[ContextSource, str]:
        """The way that has a context, and its plain name there. Raises as `open`."""
        _, way, plain = self._usable(name)
        return way, plain

    def set_current(self, name: str) -> ContextInfo:
        """Remember a context as the chosen one. Raises as `open`, or OSError."""
        info = self._usable(name)[0]
        write_private(self._current_file, info.name.encode())
        return info

    def _read_current(self) -> str:
        try:
            return self._current_file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def _usable(self, name: str) -> tuple[ContextInfo, ContextSource, str]:
        found = self._find(name)
        if found[0].unavailable:
            raise Refused(f"The context {found[0].name} cannot be used here: {found[0].unavailable}.")
        return found

    def _find(self, name: str, source: str = "") -> tuple[ContextInfo, ContextSource, str]:
        everything = self._all()
        for info, way, plain in everything:
            if name in (info.name, f"{info.kind}:{plain}"):
                return info, way, plain
        known = [info.name for info, _, _ in everything]
        meant = [full for full in known if full.endswith(f":{name}")] or [closest_match(name, known)]
        hint = f"Did you mean {' or '.join(meant)}?" if meant[0] else f"There are: {', '.join(known)}."
        said = f" ({source})" if source else ""
        raise NotFound(f"There is no context {name}{said}.", hint)


def _qualified(info: ContextInfo) -> ContextInfo:
    return ContextInfo(f"{info.kind}:{info.name}", info.kind, info.about, info.unavailable)

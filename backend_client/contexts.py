"""Contexts: context name -> JobBackend.

A `ContextSource` (kubeconfig, servers, this machine) names its contexts and opens them. `Contexts` lists
those of all sources, qualifies names that two sources have (`k8s:NAME`), and resolves the one to use.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from backend_client.errors import NotFound, Refused, fragment, sentence
from backend_client.models.names import closest_match
from backend_client.private_files import write_private
from backend_client.protocol import JobBackend

KUBECTL = "k8s"
"""Kind of the source whose current context is kubectl's as well."""
_NAMED = 20
"""Names of contexts that an error lists."""


class ContextInfo(Struct, frozen=True):
    """One context, as it is chosen and shown."""

    name: str
    """What a person types; KIND:NAME where two sources have the same name."""
    kind: str
    about: str = ""
    """What it reaches, as text."""
    unavailable: str = ""
    """Why it cannot be used here; empty where it can."""


class ContextSource(Protocol):
    """One source of contexts: kubeconfig, servers, or this machine."""

    kind: str

    def contexts(self) -> Sequence[ContextInfo]:
        """Return all contexts of this source, by their plain names. No network."""
        ...

    def current(self) -> str:
        """Return the plain name of the default context; empty where there is none.

        Raises Refused where one was named, or meant, that cannot be used: the next source is no answer then.
        """
        ...

    def open(self, name: str) -> JobBackend:
        """Open the backend of a context. No network; raises BackendError where a file is missing."""
        ...


class _Entry(NamedTuple):
    """A context, the source that has it, and its plain name there."""

    info: ContextInfo
    source: ContextSource
    plain_name: str


class LocalContext:
    """The context source of this machine."""

    kind = "local"

    def __init__(
        self, *, enabled: bool = True, gpus: int = 0, grace: float = 10.0, log_cap: int = 2**28
    ) -> None:
        """`gpus`: slots where there is no driver; `grace`: seconds; `log_cap`: bytes an attempt."""
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
        from backend_client.local.backend import LocalBackend  # noqa: PLC0415  other sources do not need it

        return LocalBackend(gpus=self.gpus, grace=self.grace, log_cap=self.log_cap)


class Contexts:
    """All contexts of all sources, and which one is the default.

    `sources`: the preferred one first; `current_file` keeps what `traindeck use` chose.
    """

    def __init__(self, sources: Sequence[ContextSource], current_file: Path) -> None:
        self.sources = sources
        self._current_file = current_file

    def list_contexts(self) -> list[ContextInfo]:
        """List all contexts, in the order of the sources."""
        return [entry.info for entry in self._entries()]

    def _entries(self) -> list[_Entry]:
        plain = [_Entry(info, source, info.name) for source in self.sources for info in source.contexts()]
        names = [entry.plain_name for entry in plain]
        return [
            entry._replace(info=_qualified(entry.info)) if names.count(entry.plain_name) > 1 else entry
            for entry in plain
        ]

    def default(self, flag: str = "", variable: str = "") -> str:
        """Resolve the context: flag, else TRAINDECK_CONTEXT, else the last chosen, else a source's own.

        Raises NotFound where the chosen one is gone, Refused where it cannot be read: another one is never
        taken instead.
        """
        for name, origin in ((flag, "--context"), (variable, "TRAINDECK_CONTEXT")):
            if name:
                return self._find(name, origin).info.name
        if chosen := self._read_current():
            return self._find(chosen, "the last `traindeck use`").info.name
        for context_source in self.sources:
            if current := context_source.current():
                return self._find(f"{context_source.kind}:{current}").info.name
        raise Refused("No context is left to run jobs in.", self._reasons())

    def _what_there_is(self) -> str:
        """Return the names of the contexts, and what keeps others from being among them."""
        names = [info.name for info in self.list_contexts() if not info.unavailable]
        more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return " ".join(filter(None, (f"There are: {', '.join(names[:_NAMED])}{more}.", self._reasons())))

    def _reasons(self) -> str:
        unavailable = (info for info in self.list_contexts() if info.unavailable)
        return sentence("; ".join(f"{info.name}: {info.unavailable}" for info in unavailable))

    def open(self, name: str) -> JobBackend:
        """Open a context. Raises NotFound, Refused for an unavailable one, or what its source raises."""
        source, plain_name = self.source_of(name)
        return source.open(plain_name)

    def source_of(self, name: str) -> tuple[ContextSource, str]:
        """Return the source that has a context, and its plain name there. Raises as `open`."""
        entry = self._usable(name)
        return entry.source, entry.plain_name

    def usable(self, name: str) -> ContextInfo:
        """Return a context that can be opened. Raises as `open`."""
        return self._usable(name).info

    def set_current(self, name: str) -> ContextInfo:
        """Save a context as the chosen one. Raises as `open`, or OSError."""
        info = self._usable(name).info
        write_private(self._current_file, info.name.encode())
        return info

    def forget_current(self) -> str:
        """Forget the chosen context, and return its name; "" where there was none. Raises OSError."""
        try:
            chosen = self._read_current()
        except Refused:
            chosen = str(self._current_file)
        self._current_file.unlink(missing_ok=True)
        return chosen

    def differs_from_kubectl(self) -> str:
        """Return what to say, once for each change, where the chosen context is not kubectl's current one.

        "" where they are the same, where none was chosen, and where it was said. Raises a BackendError.
        """
        chosen = self._read_current()
        source = next((source for source in self.sources if source.kind == KUBECTL), None)
        if not chosen or source is None:
            return ""
        try:
            current = source.current()
            if not current or self._find(f"{KUBECTL}:{current}").info.name == self._find(chosen).info.name:
                return ""
            theirs = f"kubectl's current context is {current}"
        except Refused as fault:
            theirs = fragment(fault.title)
        return self._once(
            f"{chosen} {theirs}",
            f"Jobs run in {chosen}, which `traindeck use` chose; {theirs}. "
            "`traindeck use -` follows kubectl.",
        )

    def _once(self, what: str, sentence: str) -> str:
        """Return the sentence, unless the last one that was returned was about the same."""
        said = self._current_file.with_name(f"{self._current_file.name}-said")
        with suppress(OSError):
            if said.exists() and said.read_bytes() == what.encode():
                return ""
            write_private(said, what.encode())
        return sentence

    def _read_current(self) -> str:
        try:
            return self._current_file.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is no UTF-8 text"
            raise Refused(
                f"The context that was chosen cannot be read from {self._current_file}: {why}.",
                "`traindeck use CONTEXT` chooses one again; --context names one.",
            ) from None

    def _usable(self, name: str) -> _Entry:
        entry = self._find(name)
        if entry.info.unavailable:
            raise Refused(f"The context {entry.info.name} cannot be used here: {entry.info.unavailable}.")
        return entry

    def _find(self, name: str, origin: str = "") -> _Entry:
        entries = self._entries()
        for entry in entries:
            if name in (entry.info.name, f"{entry.info.kind}:{entry.plain_name}"):
                return entry
        names = [entry.info.name for entry in entries]
        similar = [full for full in names if full.endswith(f":{name}")] or [closest_match(name, names)]
        hint = f"Did you mean {' or '.join(similar)}?" if similar[0] else self._what_there_is()
        where = f" ({origin})" if origin else ""
        raise NotFound(f"There is no context {name}{where}.", hint)


def _qualified(info: ContextInfo) -> ContextInfo:
    return ContextInfo(f"{info.kind}:{info.name}", info.kind, info.about, info.unavailable)

"""A spec with a folder of code -> the spec that goes to a context: the folder packed, or where it is."""

import asyncio
import os
from pathlib import Path

from msgspec.structs import replace

from backend_client.code_bundle import HasCode
from backend_client.errors import Invalid
from backend_client.models import JobSpec
from backend_client.models.code import is_packed
from backend_client.protocol import Feature, JobBackend, Use

_FRESH_SECONDS = 5.0


def code_from(code: str, base: Path) -> str:
    """Return a spec's `code` that is relative to a folder, as a path of its own; packed code stays."""
    if not code or is_packed(code):
        return code
    return os.path.normpath(base / Path(code).expanduser())


async def with_code(backend: JobBackend, spec: JobSpec) -> JobSpec:
    """Return the spec as its context takes it: its folder packed and kept there for it.

    Where a context takes no copy, the folder by its whole path. Raises Invalid, at the field `code`.
    """
    if not spec.code or is_packed(spec.code) or backend.fields["code"].use is Use.REFUSED:
        return spec
    if Feature.CODE not in backend.features or not isinstance(backend, HasCode):
        return replace(spec, code=code_from(spec.code, _current_folder()))
    # Importing it takes longer than many a verb, and most jobs have no folder.
    from backend_client.code.pack import pack  # noqa: PLC0415

    bundle = await asyncio.to_thread(pack, spec.code, backend.code_limit)
    await backend.keep_code(bundle)
    return replace(spec, code=bundle.name)


class CodePacker:
    """Packs the folder of a form for its plans: not with each key, and not twice at one time."""

    def __init__(self, backend: JobBackend) -> None:
        self._backend = backend
        self._task: asyncio.Task[JobSpec] | None = None
        self._code = ""
        self._until = 0.0

    async def with_code(self, spec: JobSpec) -> JobSpec:
        """Return the spec as `with_code` does; its folder as it was a few seconds ago."""
        if not spec.code:
            return spec
        now = asyncio.get_running_loop().time()
        if self._task is None or spec.code != self._code or (self._task.done() and now > self._until):
            self._code, self._until = spec.code, now + _FRESH_SECONDS
            self._task = asyncio.create_task(with_code(self._backend, JobSpec(code=spec.code)))
            # Who asked may have gone on to the next key: then nobody else looks how it ended.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return replace(spec, code=(await asyncio.shield(self._task)).code)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise Invalid({"code": "the folder that this was started in is deleted; name one"}) from None

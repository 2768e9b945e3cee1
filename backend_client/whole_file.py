"""Write a file that a person has named: it is there when it is whole, what it replaces until then."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from backend_client.disk_errors import naming

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC


@contextmanager
def whole_file(path: Path, *, overwrite: bool = False, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a file for writing, with this mode. What fails leaves no half of it.

    Raises FileExistsError where it is there and `overwrite` is not set, or another OSError.
    """
    is_replaced = overwrite and path.is_file()  # a pipe or a device is written to
    path = path.resolve() if is_replaced else path
    target = path.with_name(f".{path.name[:200]}.{os.urandom(4).hex()}") if is_replaced else path
    existed = overwrite and not is_replaced and path.exists()
    flags = _FLAGS | (0 if existed else os.O_EXCL)
    with naming(path):
        descriptor = os.open(target, flags, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            if is_replaced:
                target.replace(path)
        except BaseException:
            if not existed:
                with suppress(OSError):
                    target.unlink()
            raise

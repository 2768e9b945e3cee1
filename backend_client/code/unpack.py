"""Packed code back as files."""

import io
import tarfile
from pathlib import Path

from backend_client.disk_errors import disk_words
from backend_client.errors import Refused

_MOST = 2**30
"""Bytes of all files: some kilobytes can be packed to become any number."""


def unpack(data: bytes, folder: Path) -> int:
    """Unpack code into a folder that is new or empty; return how many files that were. Raises Refused.

    The archive may be anybody's: nothing of it is written outside, no devices, no owners (PEP 706).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Refused(f"{folder} is not empty.", "Name a folder that is new or empty.")
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz", errors="surrogateescape") as tar:
            members = tar.getmembers()
            if sum(member.size for member in members) > _MOST:
                raise Refused("The code cannot be unpacked: it would have more than 1Gi.")
            tar.extractall(folder, members, filter="data")
    except (FileExistsError, NotADirectoryError):
        raise Refused(f"{folder} is no folder.", "Name a folder that is new or empty.") from None
    except OSError as error:
        raise Refused(f"{folder} cannot be written: {disk_words(error)}.") from None
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Refused(f"The code cannot be unpacked: {error}.") from None
    return len(members)

"""A folder of code as a tar.gz: the same files give the same bytes, whoever packs them and when."""

import gzip
import io
import os
import stat
import tarfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from backend_client.code.folder import Entry, LeftOut, Listing, folder_of, list_folder, unreadable
from backend_client.code.ignore import OWN_FILE, has_token
from backend_client.code_bundle import Bundle, digest
from backend_client.errors import Invalid
from backend_client.git import git_facts
from backend_client.text.figures import bytes_text
from backend_client.text.sanitize import clean

_MOST_RATIO = 20
"""A folder whose files are so many times the limit is not packed at all: no code shrinks that far."""
_TIME = 946_684_800
"""Of every file: the year 2000. What packs the code once more, as a wheel does, takes none before 1980."""
_NAMED = 5
"""Of the largest files, and of those that look like secrets, that an error names."""
_NAMED_LEFT_OUT = 3
_TRIES = 10
_PAUSE_SECONDS = 0.02


def pack(text: str, limit: int) -> Bundle:
    """Pack a folder; `limit`: the bytes that it may have then.

    Raises Invalid, at the field `code`: no such folder, too large, something that must not go along.
    """
    folder = folder_of(text)
    listing = list_folder(folder)
    if not listing.entries:
        raise Invalid({"code": f"{clean(folder)} has no files that would go along; --code-list says why"})
    if listing.secrets:
        raise Invalid({"code": _secret_words(listing.secrets)})
    if sum(entry.size for entry in listing.entries) > limit * _MOST_RATIO:
        raise Invalid({"code": _too_large(listing.entries, limit)})
    data = _packed(folder, listing, limit)
    facts = replace(git_facts(folder), sha256=digest(data), files=len(listing.entries), size=len(data))
    return Bundle(facts, data, summary(listing, len(data)))


def summary(listing: Listing, packed: int) -> str:
    """Say how much goes along, and what does not: the largest by name."""
    files = "1 file" if len(listing.entries) == 1 else f"{len(listing.entries):,} files"
    words = f"{files}, {bytes_text(packed)} packed"
    if not listing.left_out:
        return words
    named = [left_out_words(one) for one in listing.left_out[:_NAMED_LEFT_OUT]]
    more = len(listing.left_out) - len(named)
    return f"{words}; left out: {', '.join(named)}" + (f", {more} more" if more else "")


def left_out_words(one: LeftOut) -> str:
    """Name what is left out, with its size and why: data/ (12Gi, .gitignore)."""
    size = f"over {bytes_text(one.size)}" if one.at_least else bytes_text(one.size) if one.size else ""
    why = "" if one.why == "always" else one.why
    said = ", ".join(filter(None, (size, why)))
    return f"{clean(one.path)} ({said})" if said else clean(one.path)


def _packed(folder: Path, listing: Listing, limit: int) -> bytes:
    packed, secrets = io.BytesIO(), []
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as zipped,
        # GNU's format: the tar of busybox knows no other for long names.
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar,
    ):
        for entry in listing.entries:
            if entry.target:
                tar.addfile(_header(entry))
                continue
            content = _content(folder, entry, limit * _MOST_RATIO)
            if content is None:
                continue
            if has_token(content) and entry.path not in listing.allowed:
                secrets.append(entry.path)
            tar.addfile(_header(entry, len(content)), io.BytesIO(content))
            if packed.tell() > limit:
                break
    if secrets:
        raise Invalid({"code": _secret_words(secrets)})
    if packed.tell() > limit:
        raise Invalid({"code": _too_large(listing.entries, limit)})
    return packed.getvalue()


def _header(entry: Entry, size: int = 0) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.path)
    header.size, header.mtime = size, _TIME
    header.mode = 0o755 if entry.executable else 0o644
    if entry.target:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, entry.target, 0o777
    return header


def _content(folder: Path, entry: Entry, most: int) -> bytes | None:
    """Read a file whole, as it was at one moment; None where it is gone, or no file any more. Raises Invalid.

    It is read twice: who wrote to it between two pieces of the first time has changed what the second finds.
    Opened so that a FIFO in its place holds nobody up, and a link in its place is not followed.
    """
    for _ in range(_TRIES):
        try:
            number = os.open(folder / entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(entry.path, error) from None
        with open(number, "rb") as file:  # noqa: PTH123  opened above, with its flags
            if not stat.S_ISREG(os.fstat(number).st_mode):
                return None
            content = file.read(most + 1)
            file.seek(0)
            if len(content) <= most and content == file.read(most + 1):
                return content
        time.sleep(_PAUSE_SECONDS)
    raise Invalid(
        {"code": f"{clean(entry.path)} changes while it is read; submit again, or leave it out in {OWN_FILE}"}
    )


def _secret_words(paths: Sequence[str]) -> str:
    return (
        f"{_listed(paths)} {'looks' if len(paths) == 1 else 'look'} like a login or a key, and would go to "
        f"the cluster; put the name into {OWN_FILE}, or with ! before it to send it all the same"
    )


def _too_large(entries: Iterable[Entry], limit: int) -> str:
    largest = sorted(entries, key=lambda entry: -entry.size)[:_NAMED]
    named = ", ".join(f"{clean(entry.path)} {bytes_text(entry.size)}" for entry in largest)
    return (
        f"packed it has more than {bytes_text(limit)} ({limit:,} bytes), the most that goes with a job. The "
        f"largest: {named}. Leave them out in {OWN_FILE}, or put them on a volume: --volume CLAIM:/data"
    )


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(clean(path) for path in paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")

"""Checksums as the tools of a job print them."""

import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK = 1 << 20
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(file: BinaryIO, like: str) -> str:
    """Return the checksum of a whole file, made as `like` ("sha256 …", "cksum …") was; "none" of others."""
    file.seek(0)
    match like.partition(" ")[0]:
        case "sha256":
            digest = hashlib.sha256()
            for data in _blocks(file):
                digest.update(data)
            return f"sha256 {digest.hexdigest()}"
        case "cksum":
            return f"cksum {_cksum(file)}"
        case _:
            return "none"


def _cksum(file: BinaryIO) -> int:
    """Return the CRC of POSIX's cksum: that of zlib with the bits of each byte the other way round.

    The length follows the data, and the register begins with 0 (POSIX.1-2017, cksum).
    """
    crc, length = 0xFFFFFFFF, 0
    for data in _blocks(file):
        crc, length = zlib.crc32(data.translate(_REVERSED), crc), length + len(data)
    size = length.to_bytes((length.bit_length() + 7) // 8, "little")
    return int(f"{zlib.crc32(size.translate(_REVERSED), crc):032b}"[::-1], 2)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_BLOCK):
        yield data

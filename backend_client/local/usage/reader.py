"""The process that asks NVML, as its parent sees it.

One that lives on, not one for each reading. Opening the driver costs far more than asking it (seconds, where
nothing keeps it loaded); errors (XID) are told only to who listens; and of a driver that hangs there is then
one process that cannot be killed, not one more every 30 s. It ends with its parent, or when nobody has asked
for a while.
"""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from backend_client.local import devices
from backend_client.local.usage.cards import Answer

PATIENCE = 3.0
"""Seconds that a reading may take; what comes later is there for the next one."""
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from backend_client.local.usage.nvml import main; main()"
)
_decode = msgspec.json.Decoder(Answer).decode


class NotTold(Exception):
    """There are no figures of GPUs now; the message says why, as part of a sentence."""

    def __init__(self, why: str, since: datetime | None = None) -> None:
        super().__init__(why)
        self.since = since


def nvml_command() -> tuple[str, ...]:
    """Return the command that answers for NVML; empty where this machine has no NVIDIA driver."""
    return (sys.executable, "-I", "-c", _CODE, devices.PACKAGES) if devices.nvml_probe() else ()


class CardReader:
    """Readings of all GPUs. For one thread at a time."""

    def __init__(self, command: Sequence[str], patience: float = PATIENCE) -> None:
        self._command, self._patience = command, patience
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: datetime | None = None
        """When it was asked what it has not answered yet."""
        self._unread = b""

    def read(self) -> Answer:
        """Return a reading. Raises NotTold; at once, while the last question is not answered."""
        if not self._command:
            raise NotTold("this machine has no NVIDIA driver")
        answer = self._ask()
        if answer is None:  # it had ended, as it does when nobody asks
            answer = self._ask()
        if answer is None:
            raise NotTold("the program that asks the NVIDIA driver ends at once")
        if answer.error:
            raise NotTold(f"the NVIDIA driver does not answer: {answer.error}")
        return answer

    def close(self) -> None:
        """End the process; one that hangs in the driver ends when the driver lets go of it."""
        process, self._process, self._asked, self._unread = self._process, None, None, b""
        if process and process.stdin and process.stdout:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)

    def _ask(self) -> Answer | None:
        """Return its answer; None where it has ended. Raises NotTold."""
        late = self._asked is not None
        try:
            process = self._process or self._start()
            if not late:
                self._asked = datetime.now(UTC)
                os.write(_descriptor(process.stdin), b"\n")
            line = self._line(_descriptor(process.stdout), 0 if late else self._patience)
        except OSError as error:
            self.close()
            if isinstance(error, BrokenPipeError):
                return None
            raise NotTold(
                f"the program that asks the NVIDIA driver does not start: {error.strerror}"
            ) from None
        if not line:
            self.close()
            return None
        self._asked = None
        try:
            return _decode(line)
        except msgspec.DecodeError:
            self.close()
            raise NotTold("the program that asks the NVIDIA driver prints something else") from None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
        )
        return self._process

    def _line(self, source: int, patience: float) -> bytes:
        """Return the next line; b"" where there will be none. Raises NotTold where none comes for so long."""
        until = time.monotonic() + patience
        while b"\n" not in self._unread:
            if not select.select([source], [], [], max(0, until - time.monotonic()))[0]:
                raise NotTold("the NVIDIA driver does not answer", self._asked)
            data = os.read(source, 1 << 16)
            if not data:
                return b""
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line


def _descriptor(stream: object) -> int:
    return stream.fileno()  # type: ignore[attr-defined,no-any-return]

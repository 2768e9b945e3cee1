"""How a command in a container ended, out of what its status channel says (pure)."""

import re

import msgspec
from msgspec import Struct, field

from backend_client.exec_session import ExecEnding
from backend_client.kubernetes.resources.core import KubeStruct
from backend_client.kubernetes.resources.resource_types import decode

NOT_FOUND = 127
"""As shells have it: there is no such command."""
_CODE = re.compile("[0-9]{1,9}")
_MISSING = re.compile(r'exec: ".*": (executable file not found|stat .*: no such file or directory)')
"""As runc says it (libcontainer, exec.LookPath), whatever runtimes and kubelets put before."""


class _Cause(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(Struct, frozen=True):
    causes: tuple[_Cause, ...] = ()


class _Status(KubeStruct, frozen=True):
    status: str = ""
    reason: str = ""
    message: str = ""
    details: _Details = field(default_factory=_Details)


_STATUS = msgspec.json.Decoder(_Status)
UNTOLD = ExecEnding(message="how it ended was not told")


def ending_of(text: bytes) -> ExecEnding:
    """Return how a command ended by the text of its status channel. Only the fields count: words differ."""
    try:
        status = decode(_STATUS, text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UNTOLD
    if status.status == "Success":
        return ExecEnding(0)
    if status.reason == "NonZeroExitCode":
        codes = [cause.message for cause in status.details.causes if cause.reason == "ExitCode"]
        return ExecEnding(int(codes[0])) if codes and _CODE.fullmatch(codes[0]) else UNTOLD
    said = " ".join(status.message.split())
    return ExecEnding(NOT_FOUND if _MISSING.search(said) else None, said or UNTOLD.message)

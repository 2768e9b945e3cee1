"""The command line: verbs without a screen. Loads no Textual, no pydantic and no Kubernetes."""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from tui.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; without `argv` this process's own, and then end it."""
    if argv is not None:
        return _guarded(list(argv))
    code = _guarded(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # it may be closed, or None
            stream.flush()
    os._exit(code)  # all is closed: to take a thousand jobs apart costs as much as to read them


def _guarded(words: list[str]) -> int:
    """Run the command line so that no traceback is printed: a defect becomes a report."""
    if words in (["--version"], ["-V"]):
        print(f"traindeck {__version__}")  # noqa: T201  loads nothing else
        return 0
    gc.disable()  # nothing to collect among imports, and looking for it costs a tenth of the start
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  the last wall: a defect becomes a report
        from tui.cli.output import print_message  # noqa: PLC0415  not on the way of a start
        from tui.crash_report import sentence  # noqa: PLC0415  not on the way of a start

        print_message(sentence(error))
        return 1
    finally:
        gc.freeze()  # nor has the end anything to collect
        gc.enable()
    return code


def _run(words: list[str]) -> int:
    from backend_client.errors import BackendError  # noqa: PLC0415  --version stays quick
    from tui.cli.output import print_error  # noqa: PLC0415  as above
    from tui.cli.program import run  # noqa: PLC0415  as above

    try:
        return run(words)
    except BackendError as error:
        print_error(error)
        return error.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0

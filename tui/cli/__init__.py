"""The command line: verbs without a screen. Loads no Textual, no pydantic and no Kubernetes."""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from tui.cli.streams import OutputClosed, OutputFailed, open_closed_streams, standing_in, stderr, stdout
from tui.own_modules import leave_pythonpath
from tui.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; without `argv` this process's own, and then end it."""
    if argv is not None:
        return _guarded(list(argv))
    leave_pythonpath()
    open_closed_streams()
    code = _guarded(sys.argv[1:])
    os._exit(code)  # all is closed: to take a thousand jobs apart costs as much as to read them


def _guarded(words: list[str]) -> int:
    """Run the command line so that no traceback is printed: a defect becomes a report."""
    gc.disable()  # nothing to collect among imports, and looking for it costs a tenth of the start
    try:
        with standing_in():
            code = _run(words)
            stdout.flush()
    except OutputClosed:
        return 128 + 13  # as if SIGPIPE had ended it
    except OutputFailed as error:
        stderr.line(str(error))
        return _failed(words, 1)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  the last wall: a defect becomes a report
        from tui.crash_report import sentence  # noqa: PLC0415  not on the way of a start

        stderr.line(sentence(error))
        return _failed(words, 1)
    finally:
        with suppress(OutputClosed, OutputFailed):  # said above
            stdout.flush()
        gc.freeze()  # nor has the end anything to collect
        gc.enable()
    return code


def _run(words: list[str]) -> int:
    if words in (["--version"], ["-V"]):
        stdout.line(f"traindeck {__version__}")  # loads nothing else
        return 0
    from backend_client.errors import BackendError  # noqa: PLC0415  --version stays quick
    from tui.cli.output import print_error  # noqa: PLC0415  as above
    from tui.cli.program import run  # noqa: PLC0415  as above

    try:
        return run(words)
    except BackendError as error:
        print_error(error)
        return _failed(words, error.exit_code)
    except SystemExit as end:
        return _failed(words, end.code if isinstance(end.code, int) else 0)


def _failed(words: list[str], code: int) -> int:
    from tui.cli.exit_codes import failure_code  # noqa: PLC0415  --version stays quick

    return failure_code(words, code)

"""The files of a folder in a container, listed by what every image with a shell has: sh, find, stat.

GNU's and busybox' `stat` both know -c with %f, %s, %Y and %n; busybox' `find` has no -printf. So each name
stands behind a mark that no file can know beforehand, whatever characters it has itself.
"""

import secrets
import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from backend_client.errors import NotFound, Refused, sentence
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.ending import NOT_FOUND
from backend_client.kubernetes.exec.find_container import find_container
from backend_client.kubernetes.exec.run_command import run_command
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.status.attempts import by_age, ranks
from backend_client.models import Job
from backend_client.models.outputs import Outputs
from backend_client.output_files import FileKind, OutputFile, nothing_at

_NOT_THERE = 66
"""EX_NOINPUT of sysexits.h."""
_SCRIPT = f"""\
if [ -d "$1" ]; then cd "$1" && exec find . ! -name . -prune -exec stat -c "$2 %f %s %Y %n" {{}} +; exit 1; fi
[ -e "$1" ] || [ -L "$1" ] || exit {_NOT_THERE}
exec stat -c "$2 %f %s %Y %n" "$1"
"""
_MOST_BYTES = 16 * 2**20
_SECONDS = 20.0
_KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.FOLDER, stat.S_IFLNK: FileKind.LINK}


async def list_files(transport: Transport, container: Container, path: str) -> tuple[OutputFile, ...]:
    """List a folder, or one file. Raises NotFound where nothing is there; a BackendError."""
    mark = secrets.token_hex(8)
    argv = ("sh", "-c", _SCRIPT, "sh", path, mark)
    done = await run_command(transport, container, argv, most=_MOST_BYTES, seconds=_SECONDS)
    files = tuple(parse_files(done.stdout, mark))
    code = done.ending.exit_code
    if code == 0 or files:  # else something was gone before it was looked at: the job goes on writing
        return files
    if code == _NOT_THERE:
        raise nothing_at(path)
    said = done.stderr.decode(errors="replace").strip() or done.ending.message or f"exit {code}"
    why = "its image has no sh, find or stat" if code == NOT_FOUND else said.rpartition("\n")[2][:500]
    raise Refused(sentence(f"The files in {container} cannot be listed: {why}"))


def parse_files(printed: bytes, mark: str) -> Iterator[OutputFile]:
    """Yield the files of what was printed (pure); what cannot be read is left out."""
    for record in printed.split(f"{mark} ".encode())[1:]:
        words = record.removesuffix(b"\n").split(b" ", 3)
        if len(words) == 4:
            with suppress(ValueError, OverflowError, OSError):
                yield _file(int(words[0], 16), int(words[1]), int(words[2]), words[3])


def _file(mode: int, size: int, seconds: int, path: bytes) -> OutputFile:
    kind = _KINDS.get(stat.S_IFMT(mode), FileKind.OTHER)
    return OutputFile(
        name=path.rpartition(b"/")[2].decode(errors="surrogateescape"),
        kind=kind,
        size=size if kind is FileKind.FILE else None,
        modified=datetime.fromtimestamp(seconds, UTC),
    )


def find_any_container(job: Job, pods: Sequence[Pod], outputs: Outputs) -> Container:
    """Return the container of the first rank that runs: all have the same outputs. Raises Refused."""
    for rank in sorted({number for number, _ in ranks(by_age(pods))}):
        with suppress(Refused, NotFound):
            return find_container(job, pods, rank)
    raise only_in_a_pod(job, outputs)


def only_in_a_pod(job: Job, outputs: Outputs) -> Refused:
    """Return the error for outputs that no pod has mounted now, with the command that reads them."""
    where = f"{outputs.claim}/{outputs.sub_path}:{outputs.path}:ro"
    command = [
        *("traindeck", "submit", "-n", job.ref.namespace, "--image", job.spec.image),
        *("--volume", where, "--follow", "--", "ls", "-lAR", outputs.path),
    ]
    return Refused(
        f"The outputs of {job.name} are in the folder {outputs.sub_path} of the claim {outputs.claim}, which"
        f" only a pod can read, and none of this job runs now; it is {job.state.value}.",
        f"This lists them: {shlex.join(command)}",
    )

"""What is said of the outputs of a job: where they lie, and what is in them. Pure."""

from backend_client.models.names import natural_key
from backend_client.models.outputs import Outputs
from backend_client.output_files import FileKind, FileList, OutputFile
from backend_client.text.figures import bytes_text, local_time

TITLES = ("name", "size", "modified")
_MARKS = {FileKind.FOLDER: "/", FileKind.LINK: "@", FileKind.OTHER: "?"}
"""What stands behind a name that is no file, as `ls -F` has it for two of them."""


def outputs_text(outputs: Outputs) -> str:
    """Say where a job's outputs lie."""
    if not outputs.claim:
        return outputs.path
    return f"{outputs.path} in the job; {outputs.sub_path} of the claim {outputs.claim}"


def file_rows(found: FileList) -> list[tuple[str, str, str]]:
    """Return a row for each file: its name, size and time."""
    files = sorted(found.files, key=lambda file: natural_key(file.name))
    return [(shown_name(file), bytes_text(file.size), local_time(file.modified)) for file in files]


def shown_name(file: OutputFile) -> str:
    """Return a name with a mark of what it is: checkpoints/."""
    return f"{file.name}{_MARKS.get(file.kind, '')}"

"""Where a job writes what is to stay: how a spec says it, and the folder that is the job's own."""

import posixpath

from msgspec import Struct

OUTPUT_DIR = "TRAINDECK_OUTPUT_DIR"
"""The variable by which a job knows the folder for its outputs, the same at every rank."""
OUTPUTS = "/outputs"
"""Where a claim for outputs is mounted, unless the spec says it."""


class Outputs(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the outputs of one job lie. No two jobs have the same folder."""

    path: str
    """The folder as the job sees it."""
    claim: str = ""
    """The claim that it is on; "" where it is a folder of the machine that the job runs on."""
    sub_path: str = ""
    """The folder within the claim."""


def split_outputs(text: str) -> tuple[str, str]:
    """Split a spec's `outputs` into where they go, a claim or a folder, and where a claim is mounted."""
    source, _, path = text.partition(":")
    return source, path


def split_claim(source: str) -> tuple[str, str]:
    """Split CLAIM/FOLDER into the claim and the folder in it."""
    claim, _, folder = source.partition("/")
    return claim, folder


def own_folder(name: str, key: str) -> str:
    """Return the name of a job's own folder: its name, and a hash of the key of its create.

    So tries, pauses and repeated requests of one job have the same folder, and a later job of that name
    another. Without a key, for a plan, dots stand for the hash.
    """
    from hashlib import blake2b  # noqa: PLC0415  a list of jobs needs none

    digest = blake2b(key.encode(), digest_size=4).hexdigest() if key else "•••"
    return f"{name}-{digest}"


def claim_outputs(name: str, outputs: str, key: str) -> Outputs | None:
    """Return where the outputs of a job on a claim lie; None where its spec asks for none."""
    if not outputs:
        return None
    source, path = split_outputs(outputs)
    claim, folder = split_claim(source)
    return Outputs(path=path or OUTPUTS, claim=claim, sub_path=posixpath.join(folder, own_folder(name, key)))

"""A root file system as the image python:3-slim has it, out of this machine's own Python."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from tests.deploy.support.dockerfile import libraries

PROGRAMS = ("sh", "chmod", "useradd")
"""What Dockerfiles here run beside Python."""
_LEFT_OUT = (
    "__pycache__", "config-*", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages",
    "dist-packages", "test", "tests", "tkinter", "turtledemo",
)  # fmt: skip
_PASSWD = "root:x:0:0:root:/root:/bin/sh\n"
_DEFAULTS = "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUMASK 022\n"


def python_base(image: str, root: Path) -> None:
    """Fill `root`. Raises FileNotFoundError where a program is missing here."""
    assert image.startswith("python:3"), f"{image} is no Python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for folder in ("etc/skel", "home", "root", "tmp", "usr/local/bin", "usr/bin"):
        (root / folder).mkdir(parents=True)
    for short in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / short).mkdir(exist_ok=True)
        (root / short).symlink_to(f"usr/{short}")
    library = root / "usr/local/lib" / version
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    interpreter = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    for name in (version, "python3", "python"):
        shutil.copy2(interpreter, root / "usr/local/bin" / name)
    programs = [Path(_found(name)) for name in PROGRAMS]
    for program in programs:
        shutil.copy2(program, root / "usr/bin" / program.name)
    for needed in {*libraries(interpreter, *programs, *library.glob("lib-dynload/*.so"))}:
        _place(needed, root)
    _people(root)


def _found(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        raise FileNotFoundError(program)
    return found


def _place(library: Path, root: Path) -> None:
    """At the path by which the loader asks for it."""
    there = root / library.relative_to("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    if not there.exists():
        shutil.copy2(library, there)


def _people(root: Path) -> None:
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/shadow").write_text("root:*:20000::::::\n")
    (root / "etc/login.defs").write_text(_DEFAULTS)
    (root / "tmp").chmod(0o1777)

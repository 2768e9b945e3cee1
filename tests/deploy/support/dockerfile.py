"""Builds an image's root file system from a Dockerfile without a container engine: in a folder, by chroot.

What it knows is what deploy/ uses. An instruction that it does not know is an error, not a guess.
"""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Base = Callable[[str, Path], None]
"""Fills a folder with the image of that name."""
_NOTHING_TO_DO = {"EXPOSE", "VOLUME"}


@dataclass
class Image:
    """A root file system, and how a container of it would be started."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin"})
    workdir: str = "/"
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def run(self, line: str) -> None:
        """A RUN line. Raises AssertionError with what it said, where it fails."""
        env = [f"{key}={value}" for key, value in self.env.items()]
        script = f"cd {shlex.quote(self.workdir)} && {line}"
        argv = ["chroot", str(self.root), "/bin/sh", "-c", script]
        done = subprocess.run(["env", "-i", *env, *argv], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def at(self, path: str) -> Path:
        """Where a path of the image lies out here."""
        return self.root / (Path(self.workdir) / path).relative_to("/")


def read(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, the rest of its line), in order; continued lines are one."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(words[0], words[1].strip()) for line in whole if len(words := line.split(None, 1)) == 2]


def build(dockerfile: Path, context: Path, base: Base, folder: Path) -> Image:
    """The image of the last stage, each stage in a folder of `folder`."""
    stages: dict[str, Image] = {}
    image: Image | None = None
    for word, rest in read(dockerfile):
        if word == "FROM":
            name, _, alias = rest.partition(" AS ")
            image = Image(folder / (alias or "last"))
            base(name, image.root)
            stages[alias] = image
        else:
            assert image, "FROM comes first"
            _do(image, word, rest, context, stages)
    assert image
    return image


def _do(image: Image, word: str, rest: str, context: Path, stages: dict[str, Image]) -> None:
    match word:
        case "RUN":
            image.run(rest)
        case "COPY":
            _copy(image, rest.split(), context, stages)
        case "WORKDIR":
            image.workdir = rest
            image.at(".").mkdir(parents=True, exist_ok=True)
        case "ENV":
            image.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        case "USER":
            image.user = rest
        case "CMD":
            image.command = json.loads(rest)
        case "HEALTHCHECK":
            image.healthcheck = json.loads(rest.partition(" CMD ")[2])
        case _:
            assert word in _NOTHING_TO_DO, f"{word}: tests/deploy/dockerfile.py does not know it"


def _copy(image: Image, words: list[str], context: Path, stages: dict[str, Image]) -> None:
    if words[0].startswith("--from="):
        context = stages[words.pop(0).removeprefix("--from=")].root
    *sources, target = words
    for source in sources:
        _copied(context / source.lstrip("/"), image.at(target), into=target.endswith("/"))


def _copied(source: Path, target: Path, *, into: bool) -> None:
    if source.is_dir():
        shutil.copytree(
            source, target, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
        return
    target = target / source.name if into else target
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def libraries(*programs: Path) -> Iterator[Path]:
    """The shared libraries that these need, and the loader."""
    for program in programs:
        said = subprocess.run(["ldd", str(program)], check=False, capture_output=True, text=True).stdout
        for word in said.split():
            if word.startswith("/"):
                yield Path(word)

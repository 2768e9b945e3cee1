"""traindeck and the programs beside it, over one cluster and in one environment."""

import os
import shutil
import sys
from pathlib import Path

import msgspec

TRAINDECK = str(Path(sys.executable).with_name("traindeck"))
K9S_SETTINGS = "k9s:\n  skipLatestRevCheck: true\n  ui:\n    splashless: true\n"


class Peers(msgspec.Struct, frozen=True):
    """Command lines, and the environment that all of them get."""

    kubeconfig: Path
    home: Path
    """A folder with a short path; nobody's settings are in it."""
    bin: Path
    """Where k9s and kubectl may be, before PATH."""

    def environment(self) -> dict[str, str]:
        """Return the environment that the programs see of this machine."""
        names = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "PATH": os.environ["PATH"]}
        return {"TERM": "screen-256color", "LANG": "C.UTF-8", **names}

    def find(self, name: str) -> str:
        """Return the path of a peer; "" where it is not here."""
        return shutil.which(name, path=f"{self.bin}{os.pathsep}{os.environ['PATH']}") or ""

    def traindeck(self, namespace: str, *words: str) -> list[str]:
        return [TRAINDECK, "--context", "admin", "-n", namespace, *words]

    def kubectl(self, namespace: str, *words: str) -> list[str]:
        return [self.find("kubectl"), "-n", namespace, *words]

    def k9s(self, namespace: str) -> list[str]:
        """Return the command of k9s as it comes, without its splash (a second) and search for an update."""
        folder = self.home / ".config" / "k9s"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(K9S_SETTINGS)
        return [self.find("k9s"), "-n", namespace, "-c", "pods"]

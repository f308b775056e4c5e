"""Git repositories and folders to build from, and what a worker's tar would make of the bundle."""

import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from deployctl.build.build_bundle import BuiltBundle
from deployctl.build.bundle import Bundle, pack
from deployctl.build.content_checks import ContentInspector
from deployctl.build.directory_tree import DirectoryTree
from deployctl.build.tree import Entry

APPSPEC = """\
version: 0.0
os: linux
files:
  - source: /
    destination: /opt/app
file_exists_behavior: OVERWRITE
hooks:
  ValidateService:
    - location: hooks/validate.sh
      timeout: 60
"""


class Repository:
    """A git repository that a test fills."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str, **env: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
            cwd=self.path,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **env},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, name: str, content: str | bytes = "", *, executable: bool = False) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o755 if executable else 0o644)
        return path

    def commit(self, message: str = "change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


class Quiet(ContentInspector):
    def __init__(self) -> None:
        pass

    def inspect(self, entry: Entry, start: bytes) -> None:
        pass

    def inspect_next(self, entry: Entry, chunk: bytes) -> None:
        pass

    def raise_findings(self) -> None:
        pass


def write_tree(directory: Path, files: dict[bytes, bytes]) -> None:
    for name, content in files.items():
        path = directory / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def packed(directory: Path, out: Path, inspector: ContentInspector | None = None) -> Bundle:
    tree = DirectoryTree(directory)
    return pack(tree, tree.entries, path=out, mtime_s=0, inspector=inspector or Quiet())


def unpacked(bundle: Path) -> Mapping[bytes, tuple[str, bytes]]:
    """Path → (mode or `link`, content or target), by Python's tarfile."""
    found = {}
    with tarfile.open(bundle, "r:gz") as archive:
        for member in archive:
            name = os.fsencode(member.name)
            if member.issym():
                found[name] = ("link", os.fsencode(member.linkname))
            elif member.isfile():
                found[name] = (f"{member.mode:04o}", archive.extractfile(member).read())
    return found


def names(bundle: BuiltBundle) -> set[str]:
    return {os.fsdecode(name) for name in unpacked(bundle.path)}

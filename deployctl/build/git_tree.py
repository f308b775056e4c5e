"""A git tree read from the object database: the committed bytes, independent of this machine's settings."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from deployctl.build.git import GitFailed, environment, git
from deployctl.build.partial_clone import fetch_missing_blobs
from deployctl.build.tree import CHUNK_BYTES, Entry, InvalidTreePath, Kind
from deployctl.errors import UsageError

_KINDS = {b"100644": Kind.FILE, b"100664": Kind.FILE, b"100755": Kind.EXECUTABLE, b"120000": Kind.SYMLINK}
_SUBMODULE = b"160000"


class BuildRootMissing(UsageError, code="build-root-missing"):
    """The folder that `[build] root` names is not in the commit."""

    def __init__(self, root: str, where: str) -> None:
        super().__init__(
            f"there is no folder {root!r} in {where}",
            noun=root,
            remedy="set [build] root in deployctl.toml to a folder of the repository, or leave it out",
        )


class CommittedTree:
    """The tree `tree` of `repo`, or its folder `root`; `env` locates further objects."""

    def __init__(
        self, repo: Path, tree: str, *, root: str = "", env: Mapping[str, str] | None = None
    ) -> None:
        self._repo = repo
        self._env = dict(env or {})
        self._blobs: dict[bytes, bytes] = {}
        self.entries: tuple[Entry, ...] = ()
        self.submodules: tuple[bytes, ...] = ()
        self.nested: tuple[bytes, ...] = ()
        self.special: tuple[bytes, ...] = ()
        self._read(f"{tree}:{root}" if root else tree, root)

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        with tempfile.TemporaryFile() as asked:
            asked.write(b"".join(self._blobs[entry.path] + b"\n" for entry in entries))
            asked.seek(0)
            command = ["git", "cat-file", "--batch", "--buffer"]
            with subprocess.Popen(
                command,
                cwd=self._repo,
                env=environment(self._env),
                stdin=asked,
                stdout=subprocess.PIPE,
                bufsize=CHUNK_BYTES,
            ) as process:
                assert process.stdout is not None  # noqa: S101 - PIPE was asked for
                try:
                    for entry in entries:
                        yield entry, _blob(process.stdout, entry)
                finally:
                    process.kill()  # Otherwise a reader that stops early would wait for git.

    def _read(self, treeish: str, root: str) -> None:
        fetch_missing_blobs(self._repo, treeish, env=self._env)
        try:
            listing = git(self._repo, "ls-tree", "-r", "-z", "-l", "--full-tree", treeish, env=self._env)
        except GitFailed as error:
            if root:
                raise BuildRootMissing(root, "the commit") from error
            raise
        entries, submodules = [], []
        for record in filter(None, listing.split(b"\0")):
            meta, path = record.split(b"\t", 1)
            mode, _, blob, size = meta.split()
            # Git rejects such paths, but other tools can write them into a commit.
            if {b"", b".", b"..", b".git"} & set(path.lower().split(b"/")):
                raise InvalidTreePath(path)
            if mode == _SUBMODULE:
                submodules.append(path)
                continue
            self._blobs[path] = blob
            entries.append(Entry(path=path, kind=_KINDS[mode], size_bytes=int(size)))
        # Git lists a tree by the bytes of whole paths already.
        self.entries = tuple(entries)
        known = self._known_submodules(treeish.partition(":")[0])
        prefix = f"{root}/".encode() if root else b""
        self.submodules = tuple(path for path in submodules if prefix + path in known)
        self.nested = tuple(path for path in submodules if prefix + path not in known)

    def _known_submodules(self, tree: str) -> set[bytes]:
        """The paths in the tree's .gitmodules."""
        pattern = ("--get-regexp", r"^submodule\..*\.path$")
        try:
            listed = git(self._repo, "config", "-z", "--blob", f"{tree}:.gitmodules", *pattern, env=self._env)
        except GitFailed:
            return set()
        return {row.partition(b"\n")[2].rstrip(b"/") for row in listed.split(b"\0") if row}


def _blob(out: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """The next object of `git cat-file --batch`: its header, then its bytes, then a newline."""
    header = out.readline()
    fields = header.split()
    if len(fields) != 3 or int(fields[2]) != entry.size_bytes:
        raise GitFailed(("cat-file", "--batch"), header.decode("ascii", "replace"))
    left = entry.size_bytes
    while left:
        chunk = out.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise GitFailed(("cat-file", "--batch"), f"{left} bytes short")
        left -= len(chunk)
        yield chunk
    out.read(1)

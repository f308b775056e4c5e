"""Measures the secret search: recall, false alarms and speed. `python -m tests.bench.bench_secrets [FOLDER]`.

FOLDER is a tree to search for its speed and its alarms; without one, the packages of this Python.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from deployctl.build.secrets import SecretSearch
from deployctl.build.tree import CHUNK_BYTES, Entry, Kind
from tests.bench.secret_corpus import Sample, harmless, secrets


def found(path: str, content: bytes) -> str | None:
    """What the search says of a file, as the build reads it."""
    search = SecretSearch()
    entry = Entry(path=path.encode(), kind=Kind.FILE, size_bytes=len(content))
    what = search.first_chunk(entry, content[:CHUNK_BYTES])
    for start in range(CHUNK_BYTES, len(content), CHUNK_BYTES):
        what = what or search.next_chunk(content[start : start + CHUNK_BYTES])
    return what


def missed() -> list[Sample]:
    return [sample for sample in secrets() if found(sample.path, sample.content) is None]


def false_alarms() -> list[tuple[Sample, str]]:
    alarms = [(sample, found(sample.path, sample.content)) for sample in harmless()]
    return [(sample, what) for sample, what in alarms if what is not None]


def main(folder: Path | None = None) -> None:
    samples, lost = secrets(), missed()
    print(f"recall: {len(samples) - len(lost)} of {len(samples)} kinds of secrets")
    for sample in lost:
        print(f"  missed: {sample.kind} ({sample.path})")
    innocent, alarms = harmless(), false_alarms()
    print(f"false alarms: {len(alarms)} of {len(innocent)} kinds of harmless files")
    for sample, what in alarms:
        print(f"  {sample.kind} ({sample.path}): {what}")
    _search_tree(folder or Path(sysconfig.get_path("purelib")))


def _search_tree(folder: Path) -> None:
    files = sizes = 0
    seconds = 0.0
    alarms = []
    for path, content in _files(folder):
        began = time.thread_time()
        what = found(path, content)
        seconds += time.thread_time() - began
        files, sizes = files + 1, sizes + len(content)
        if what is not None:
            alarms.append((path, what))
    print(
        f"{folder.name}: {files:,} files, {sizes / 1e6:,.0f} MB in {seconds:.2f} s of CPU, {len(alarms)} alarms"
    )
    for path, what in alarms:
        print(f"  {path}: {what}")


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = Path(top, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path.read_bytes()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

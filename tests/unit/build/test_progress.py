"""Large bundles say how far they are; small ones say nothing."""

from __future__ import annotations

from deployctl.build import progress, working_tree
from deployctl.build.progress import WithProgress
from deployctl.build.source import resolve
from deployctl.build.tree import Entry, Kind
from tests.fakes.clock import FakeClock


class SlowTree:
    """Every chunk of a gigabyte takes 6 s; the chunk itself is not as long as it counts."""

    def __init__(self, clock: FakeClock, sizes: dict[bytes, int]) -> None:
        self._clock = clock
        self.entries = [Entry(path=p, kind=Kind.FILE, size_bytes=n) for p, n in sizes.items()]
        self.submodules = self.special = ()

    def contents(self, entries):
        for entry in entries:
            yield entry, self._chunks(entry)

    def _chunks(self, entry):
        for _ in range(max(1, entry.size_bytes // 10**9)):
            self._clock.advance(6)
            yield b"x"


def announced(sizes: dict[bytes, int]) -> list[str]:
    clock, said = FakeClock(), []
    tree = SlowTree(clock, sizes)
    for _, chunks in WithProgress(tree=tree, announce=said.append, clock=clock).contents(tree.entries):
        list(chunks)
    return said


def test_a_large_bundle_names_its_largest_file_and_reports_every_ten_seconds():
    said = announced({b"app.py": 10, b"disk.img": 10_000_000_000})
    assert said[0] == "bundling 10.0 GB in 2 files; the largest is disk.img, 10.0 GB"
    assert len(said) == 1 + 5
    assert said[1].startswith("bundled 0.0 of 10.0 GB") or said[1].endswith("of 10.0 GB")


def test_a_small_bundle_says_nothing():
    assert announced({b"app.py": 10}) == []


def test_large_uncommitted_files_are_announced_before_git_reads_them(repository, monkeypatch):
    monkeypatch.setattr(working_tree, "LARGE_BYTES", 1000)
    repository.write("disk.img", b"x" * 2000)
    said: list[str] = []
    resolve(repository.path, version=None, ref=None, allow_dirty=True, announce=said.append)
    assert said == ["reading 0.0 GB of uncommitted files; the largest is disk.img, 0.0 GB"]
    assert progress.LARGE_BYTES == 1_000_000_000

"""Says how far a large bundle is; a small one needs no words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from deployctl.build.tree import Entry, Tree, display_path
from deployctl.model.text import count
from deployctl.ports import Clock

#: From this size on, progress is announced.
LARGE_BYTES = 1_000_000_000
_EVERY_S = 10.0

Announce = Callable[[str], object]


def say_nothing(_sentence: str) -> None:
    """For callers without a place for words."""


def gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithProgress:
    """A tree that announces how much of these `entries` has been read, every 10 s."""

    tree: Tree
    announce: Announce
    clock: Clock

    @property
    def entries(self) -> Sequence[Entry]:
        return self.tree.entries

    @property
    def submodules(self) -> Sequence[bytes]:
        return self.tree.submodules

    @property
    def special(self) -> Sequence[bytes]:
        return self.tree.special

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        total = sum(entry.size_bytes for entry in entries)
        if total < LARGE_BYTES:
            yield from self.tree.contents(entries)
            return
        largest = max(entries, key=lambda entry: entry.size_bytes)
        self.announce(
            f"bundling {gigabytes(total)} in {count(len(entries), 'file')};"
            f" the largest is {display_path(largest.path)}, {gigabytes(largest.size_bytes)}"
        )
        reporter = _Reporter(total, self.announce, self.clock)
        for entry, chunks in self.tree.contents(entries):
            yield entry, reporter.count(chunks)


class _Reporter:
    def __init__(self, total_bytes: int, announce: Announce, clock: Clock) -> None:
        self._total = gigabytes(total_bytes)
        self._announce = announce
        self._clock = clock
        self._read_bytes = 0
        self._next_s = clock.monotonic_s() + _EVERY_S

    def count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._read_bytes += len(chunk)
            if self._clock.monotonic_s() >= self._next_s:
                self._announce(f"bundled {gigabytes(self._read_bytes)} of {self._total}")
                self._next_s = self._clock.monotonic_s() + _EVERY_S
            yield chunk

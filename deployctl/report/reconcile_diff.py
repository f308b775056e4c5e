"""The workers that changed between two reconciliations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.report.formatting import count, sanitize
from deployctl.report.style import BAD, GOOD, REST, Glyphs, styled

MAX_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One worker before and now; None for one that was absent."""

    before: ReconciledWorker | None
    now: ReconciledWorker | None

    @property
    def worker(self) -> ReconciledWorker:
        worker = self.now or self.before
        if worker is None:
            raise ValueError("a change without a worker")
        return worker

    @property
    def is_bad(self) -> bool:
        return self.now is not None and self.now.category.is_drift


def changes(before: Iterable[ReconciledWorker], now: Iterable[ReconciledWorker]) -> list[Change]:
    """New and gone workers, and changes of category, cause or desired version; drift first."""
    old = {(w.group, w.instance_id): w for w in before}
    new = {(w.group, w.instance_id): w for w in now}
    found = [
        Change(before=old.get(key), now=new.get(key))
        for key in sorted(old.keys() | new.keys())
        if _state(old.get(key)) != _state(new.get(key))
    ]
    return sorted(found, key=lambda c: not c.is_bad)


def _state(worker: ReconciledWorker | None) -> tuple[str, str | None, str | None] | None:
    return None if worker is None else (worker.category, worker.cause, worker.desired_version)


def change_lines(found: list[Change], *, glyphs: Glyphs) -> list[Text]:
    """How many workers changed to which category, then the first few by name."""
    if not found:
        return []
    became = Counter(c.now.category for c in found if c.now is not None)
    gone = sum(c.now is None for c in found)
    parts = [f"{became[c]:,} {c.value}" for c in Category if became[c]] + ([f"{gone:,} gone"] if gone else [])
    head = f"{count(len(found), 'worker')} changed since the last refresh: {', '.join(parts)}"
    return [Text(head), *(_line(change, glyphs) for change in found[:MAX_NAMED])]


def _line(change: Change, glyphs: Glyphs) -> Text:
    style = BAD if change.is_bad else GOOD if change.now is not None else REST
    name = f"  {sanitize(change.worker.instance_id)} {sanitize(change.worker.group)}  "
    return Text(name).append(styled(f"{_word(change.before)} {glyphs.arrow} {_word(change.now)}", style))


def _word(worker: ReconciledWorker | None) -> str:
    if worker is None:
        return "absent"
    cause = f" ({worker.cause.value})" if worker.cause and worker.category.is_drift else ""
    return f"{worker.category.value}{cause}"

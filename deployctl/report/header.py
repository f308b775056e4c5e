"""The board's head: which release this is, how far it is, and how many groups stand where."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from rich.text import Text

from deployctl.execute.fold import Phase, ReleaseState
from deployctl.report.look import BAD, BUSY, GOOD, REST, STRONG, Glyphs, bar, styled
from deployctl.report.progress import Progress, progress, state_word, together
from deployctl.report.words import clean, count, duration

MAX_BAR = 60
_STYLES = {"held": GOOD, "empty": GOOD, "running": BUSY, "queued": BUSY, "waiting": REST}
_ORDER = ("failed", "held", "running", "queued", "waiting")


def header(state: ReleaseState, *, now: datetime, columns: int, glyphs: Glyphs) -> list[Text]:
    """Four lines: names and time, workers, groups, and one left blank."""
    return [
        _title(state, now, columns, glyphs),
        _workers(state, columns, glyphs),
        _groups(state, glyphs),
        Text(),
    ]


def _title(state: ReleaseState, now: datetime, columns: int, glyphs: Glyphs) -> Text:
    plan = state.plan
    elapsed_s = state.outcome.elapsed_s if state.outcome else (now - state.started_at).total_seconds()
    end = duration(elapsed_s)
    if state.outcome is not None:
        end = f"{state.outcome.verdict.value} after {end}"
    title = styled(f"{clean(plan.version)} {glyphs.arrow} {clean(plan.application)}", STRONG)
    title.append(f"  {clean(plan.release_id)}", REST)
    # A name too long for the line must not push the time out of it.
    title.truncate(max(columns - len(end) - 2, 0), overflow="crop")
    return title.append(" " * (columns - title.cell_len - len(end))).append(end, STRONG)


def _workers(state: ReleaseState, columns: int, glyphs: Glyphs) -> Text:
    at = together(progress(group) for group in state.groups.values())
    words = f"  {at.done:,} of {count(at.total, 'worker')}, {_percent(at)}"
    bad = f", {at.bad:,} failed" if at.bad else ""
    wide = min(columns - len(words) - len(bad), MAX_BAR)
    line = Text()
    if wide > 0:
        line = bar(done=at.done, bad=at.bad, moving=at.moving, total=at.total, columns=wide, glyphs=glyphs)
    return line.append(words).append(bad, BAD)


def _percent(at: Progress) -> str:
    return f"{100 * at.done // at.total}%" if at.total else "0%"


def _groups(state: ReleaseState, glyphs: Glyphs) -> Text:
    counts = Counter(state_word(group) for group in state.groups.values())
    words = sorted(counts, key=lambda w: (_ORDER.index(w) if w in _ORDER else 0, w))
    line = Text(f"{count(len(state.groups), 'group')}: ")
    for number, word in enumerate(words):
        line.append(f" {glyphs.dot} " if number else "")
        line.append(f"{counts[word]} {word}", _STYLES.get(word, BAD))
    return line.append(_wave(state), REST)


def _wave(state: ReleaseState) -> str:
    """Which wave is under way, where there is more than one."""
    waves = state.plan.waves
    if len(waves) < 2:
        return ""
    over = sum(all(state.groups[g.group].phase is Phase.FINISHED for g in wave) for wave in waves)
    return f"   wave {min(over + 1, len(waves))} of {len(waves)}"

"""The board's head: which release this is, how far it is, how many groups stand where, and what is to come."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from deployctl.execute.release_state import ReleaseState
from deployctl.model.release import ReleaseKind, ReleasePlan
from deployctl.report.board_model import BAKING, FAILING, STOPPING, Overview
from deployctl.report.formatting import count, duration, sanitize
from deployctl.report.group_progress import Progress
from deployctl.report.stopping import baking_words, stop_request_text
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, bar, styled

MAX_BAR = 60
_STYLES = {
    "verified": GOOD,
    "empty": GOOD,
    "partial": BUSY,
    "running": BUSY,
    BAKING: BUSY,
    STOPPING: BUSY,
    "queued": BUSY,
    "waiting": REST,
    "not-started": REST,
}
_ORDER = (
    "failed",
    FAILING,
    "partial",
    "verified",
    "running",
    BAKING,
    STOPPING,
    "queued",
    "waiting",
    "not-started",
)


def header(seen: Overview, *, now: datetime, columns: int, glyphs: Glyphs) -> list[Text]:
    """Names and time, workers, groups, what is to come where there is more to say, and a line left blank."""
    state = seen.state
    return [
        _title(state, now, columns, glyphs),
        _workers(seen.at, columns, glyphs),
        _groups(seen, glyphs),
        *_stop(state),
        *_waves(state, now, glyphs),
        Text(),
    ]


def _title(state: ReleaseState, now: datetime, columns: int, glyphs: Glyphs) -> Text:
    plan = state.plan
    elapsed_s = state.outcome.elapsed_s if state.outcome else (now - state.started_at).total_seconds()
    end = duration(elapsed_s)
    if state.outcome is not None:
        end = f"{state.outcome.verdict.value} after {end}"
    title = styled(f"{release_name(plan)} {glyphs.arrow} {sanitize(plan.application)}", STRONG)
    title.append(f"  {sanitize(plan.release_id)}", REST)
    room = max(columns - len(end) - 2, 0)
    undoes = f", undoes {sanitize(plan.undoes)}" if plan.undoes else ""
    title.append(undoes if title.cell_len + len(undoes) <= room else "", REST)
    # A name too long for the line must not push the time out of it.
    title.truncate(room, overflow="crop")
    return title.append(" " * (columns - title.cell_len - len(end))).append(end, STRONG)


def release_name(plan: ReleasePlan) -> str:
    """`v123`, `rollback to v122` or `repair to v123`; a rollback's groups may go back to versions of their own."""
    if plan.kind is ReleaseKind.REPAIR:
        return f"repair to {sanitize(plan.version)}"
    if plan.kind is ReleaseKind.RELEASE:
        return sanitize(plan.version)
    others = len({g.version for g in plan.groups} - {plan.version})
    return f"rollback to {sanitize(plan.version)}" + (
        f" and {count(others, 'other version')}" if others else ""
    )


def _workers(at: Progress, columns: int, glyphs: Glyphs) -> Text:
    words = f"  {at.done:,} of {count(at.total, 'worker')}, {_percent(at)}"
    bad = f", {at.bad:,} failed" if at.bad else ""
    wide = min(columns - len(words) - len(bad), MAX_BAR)
    line = Text()
    if wide > 0:
        line = bar(done=at.done, bad=at.bad, moving=at.moving, total=at.total, columns=wide, glyphs=glyphs)
    return line.append(words).append(bad, BAD)


def _percent(at: Progress) -> str:
    return f"{100 * at.done // at.total}%" if at.total else "0%"


def _groups(seen: Overview, glyphs: Glyphs) -> Text:
    words = sorted(seen.words, key=lambda w: (_ORDER.index(w) if w in _ORDER else 0, w))
    line = Text(f"{count(len(seen.state.groups), 'group')}: ")
    for number, word in enumerate(words):
        line.append(f" {glyphs.dot} " if number else "")
        line.append(f"{seen.words[word]} {word}", _STYLES.get(word, BAD))
    return line


def _stop(state: ReleaseState) -> list[Text]:
    if state.stop is None:
        return []
    what = "" if state.outcome else "; it is being stopped"
    return [styled(f"{stop_request_text(state.stop)}{what}", BAD)]


def _waves(state: ReleaseState, now: datetime, glyphs: Glyphs) -> list[Text]:
    """The wave under way, where there are more than one or it bakes, and what waits for it."""
    waves = state.plan.waves
    if state.outcome is not None or (len(waves) < 2 and state.baking_until is None):
        return []
    line = styled(f"wave {state.wave} of {len(waves)}" if len(waves) > 1 else "", STRONG)
    if state.baking_until is not None:
        line.append(": " if line else "").append(baking_words(state.baking_until, now=now), BUSY)
    later = waves[state.wave :]
    if later and state.stop is None:
        waiting = count(sum(len(wave) for wave in later), "group")
        joined = "and" if len(later) == 2 else "to"
        which = f"wave {len(waves)}" if len(later) == 1 else f"waves {state.wave + 1} {joined} {len(waves)}"
        verb = "waits" if len(later) == 1 else "wait"
        line.append(f" {glyphs.dot} {which} with {waiting} {verb} for it", REST)
    return [line]

"""The board's head: the release, its progress, the groups by state, and the next wave."""

from collections.abc import Iterable
from datetime import datetime

from rich.text import Text

from deployctl.execute.release_state import ReleaseState
from deployctl.model.release import ReleaseKind, ReleasePlan
from deployctl.report.board_model import BAKING, FAILING, STOPPING, Overview
from deployctl.report.formatting import baking_text, count, duration, sanitize, stop_request_text
from deployctl.report.group_progress import Progress
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, dotted, styled

MAX_BAR = 60
# On a wide terminal the time stands above the rows' right edge, not far beyond.
TIME_EDGE = 110
# In the order in which the head lists them.
_STYLES = {
    "failed": BAD,
    FAILING: BAD,
    "partial": BUSY,
    "verified": GOOD,
    "empty": GOOD,
    "running": BUSY,
    BAKING: BUSY,
    STOPPING: BUSY,
    "queued": BUSY,
    "waiting": REST,
    "not-started": REST,
}
_ORDER = list(_STYLES)


def header(overview: Overview, *, now: datetime, columns: int, glyphs: Glyphs) -> list[Text]:
    """Release and time, workers, groups, a stop request and the next wave if any, and an empty line."""
    state, stop = overview.state, []
    if state.stop is not None:
        what = "" if state.outcome else "; stopping its deployments"
        stop = [styled(f"{stop_request_text(state.stop)}{what}", BAD)]
    return [
        _title(state, now, columns, glyphs),
        _workers(overview.progress, columns, glyphs),
        _groups(overview, glyphs),
        *stop,
        *_waves(state, now, glyphs),
        Text(),
    ]


def _title(state: ReleaseState, now: datetime, columns: int, glyphs: Glyphs) -> Text:
    plan = state.plan
    elapsed_s = state.outcome.elapsed_s if state.outcome else (now - state.started_at).total_seconds()
    end = duration(elapsed_s)
    if state.outcome is not None:
        end = f"{state.outcome.verdict.value} after {end}"
    title = styled(f"{plan_name(plan)} {glyphs.arrow} {sanitize(plan.application)}", STRONG)
    title.append(f"  {sanitize(plan.release_id)}", REST)
    room = max(columns - len(end) - 2, 0)
    undoes = f", undoes {sanitize(plan.undoes)}" if plan.undoes else ""
    built = built_from(plan)
    for part in (undoes, f"  {built}" if built else ""):
        title.append(part if title.cell_len + len(part) <= room else "", REST)
    # A long name must not push the time off the line.
    title.truncate(room, overflow="crop")
    edge = min(columns, max(TIME_EDGE, title.cell_len + 2 + len(end)))
    return title.append(" " * (edge - title.cell_len - len(end))).append(end, STRONG)


def plan_name(plan: ReleasePlan) -> str:
    return release_name(plan.kind, plan.version, [g.version for g in plan.groups])


def built_from(plan: ReleasePlan) -> str:
    """`HEAD 1a2b3c4`, the ref and the commit of the version that is released; empty if unknown."""
    if plan.kind is not ReleaseKind.RELEASE or len(plan.artifacts) != 1:
        return ""
    manifest = plan.artifacts[0].manifest
    if manifest.commit is None:
        return ""
    ref = (
        f"{sanitize(manifest.ref)} " if manifest.ref and not manifest.commit.startswith(manifest.ref) else ""
    )
    return f"{ref}{sanitize(manifest.commit[:7])}"


def release_name(kind: ReleaseKind, version: str, versions: Iterable[str]) -> str:
    """`v123`, `repair to v123` or `rollback to v122`; `versions` are those of a rollback's groups."""
    if kind is ReleaseKind.RELEASE:
        return sanitize(version)
    others = len(set(versions) - {version}) if kind is ReleaseKind.ROLLBACK else 0
    also = f" and {count(others, 'other version')}" if others else ""
    return f"{kind.value} to {sanitize(version)}{also}"


def _workers(progress: Progress, columns: int, glyphs: Glyphs) -> Text:
    percent = 100 * progress.done // progress.total if progress.total else 0
    words = f"  {progress.done:,} of {count(progress.total, 'worker')}, {percent}%"
    bad = f", {progress.bad:,} failed" if progress.bad else ""
    wide = min(columns - len(words) - len(bad), MAX_BAR)
    line = progress.bar(wide, glyphs) if wide > 0 else Text()
    return line.append(words).append(bad, BAD)


def _groups(overview: Overview, glyphs: Glyphs) -> Text:
    words = sorted(overview.words, key=lambda w: (_ORDER.index(w) if w in _ORDER else 0, w))
    parts = ((f"{overview.words[word]} {word}", _STYLES.get(word, BAD)) for word in words)
    return Text(f"{count(len(overview.state.groups), 'group')}: ").append(dotted(parts, glyphs))


def _waves(state: ReleaseState, now: datetime, glyphs: Glyphs) -> list[Text]:
    """The current wave, if there are several or it bakes, and what waits for it."""
    waves = state.plan.waves
    if state.outcome is not None or (len(waves) < 2 and state.baking_until is None):
        return []
    line = styled(f"wave {state.wave} of {len(waves)}" if len(waves) > 1 else "", STRONG)
    if state.baking_until is not None:
        line.append(": " if line else "").append(baking_text(state.baking_until, now=now), BUSY)
    later = waves[state.wave :]
    if later and state.stop is None:
        waiting = count(sum(len(wave) for wave in later), "group")
        joined = "and" if len(later) == 2 else "to"
        which = f"wave {len(waves)}" if len(later) == 1 else f"waves {state.wave + 1} {joined} {len(waves)}"
        verb = "waits" if len(later) == 1 else "wait"
        line.append(f" {glyphs.dot} {which} with {waiting} {verb}", REST)
    return [line]

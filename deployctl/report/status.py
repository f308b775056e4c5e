"""`deployctl status`: what is under way, each group as it stands, one line that sums up, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from deployctl.model.release import ReleaseInProgress
from deployctl.model.verdict import Verdict, worst
from deployctl.observe.status import ApplicationStatus, GroupStatus
from deployctl.ports import LeaseView
from deployctl.report.formatting import count, duration, list_some, moment, sanitize
from deployctl.report.stopping import baking_words, stop_request_text
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.table import Column, lay_out_columns

MAX_ROWS = 60
MAX_VERSIONS = 3
WAITING = "waiting"
_COLUMNS = (
    Column(head="group", longest=48),
    Column(head="desired", longest=24),
    Column(head="verdict"),
    Column(head="workers"),
    Column(head="deployment", gives_way=3),
    Column(head="since", gives_way=1),
    Column(head="before", gives_way=2, longest=24),
)


def standing_lines(standing: ApplicationStatus, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """Troubled groups on top, then those under way; those that hold are counted where they are very many."""
    listed = sorted(standing.groups, key=lambda g: (_place(g), g.group))
    shown = listed
    if len(listed) > MAX_ROWS:
        loud = [g for g in listed if _place(g) < _QUIET]
        shown = listed[: max(MAX_ROWS, len(loud))]
    lines = _under_way(standing, glyphs)
    if shown:
        rows = [_row(group, standing, glyphs) for group in shown]
        lines += [Text(), *lay_out_columns(_COLUMNS, rows, width=columns, glyphs=glyphs)]
    if len(shown) < len(listed):
        lines.append(styled(f"{glyphs.ellipsis} {_quietly(listed[len(shown) :])}", REST))
    if listed:
        lines += [Text(), _sum(standing, glyphs)]
    return [*lines, *(_command(c, why, glyphs) for c, why in next_commands(standing))]


def next_commands(standing: ApplicationStatus) -> list[tuple[str, str]]:
    """What to type next, and what it does."""
    if standing.in_progress is not None:
        if standing.lease is not None:
            return [("deployctl attach", "watches it")]
        return [("deployctl attach", "goes on with it")]
    if standing.lease is not None:
        return [("deployctl status", "again in a moment")]
    if not standing.groups:
        return [("deployctl release VERSION", "")]
    bad = [g for g in standing.groups if g.desired is not None and not g.desired.verdict.is_verified]
    if bad:
        next_ = [("deployctl reconcile", "who is behind, why, and what mends it")]
        if printed := [g for g in bad if g.desired is not None and g.desired.verdict in _WITH_FAILED_WORKERS]:
            next_.append((f"deployctl logs {_worst_release(printed)}", "what the failed workers printed"))
        return next_
    return [
        ("deployctl reconcile", "which workers really run it"),
        ("deployctl release VERSION", ""),
    ]


#: Where a deployment was stopped, or never began, no worker printed why.
_WITH_FAILED_WORKERS = frozenset({Verdict.PARTIAL, Verdict.ROLLED_BACK, Verdict.FAILED})


def _worst_release(groups: Sequence[GroupStatus]) -> str:
    verdict = worst(g.desired.verdict for g in groups if g.desired)
    return max(g.desired.release for g in groups if g.desired and g.desired.verdict is verdict)


_QUIET = 3


def _place(group: GroupStatus) -> int:
    """Where the group stands in the table: troubled, running, waiting, held."""
    if group.has_failed:
        return 0
    if group.waits_for_wave is not None:
        return 2
    return 1 if group.desired is not None and group.desired.verdict is Verdict.RUNNING else _QUIET


def _under_way(standing: ApplicationStatus, glyphs: Glyphs) -> list[Text]:
    name, lease = sanitize(standing.application), standing.lease
    if standing.in_progress is not None:
        return [
            *_begun(standing, standing.in_progress, name, glyphs),
            *_details(standing, standing.in_progress),
        ]
    if lease is not None:
        what = f"{sanitize(lease.holder.version)} of {name}" if lease.holder.version else name
        return [styled(f"{glyphs.running} {what} is being prepared by {_whose(lease)}", BUSY)]
    said = f"nothing of {name} is being released" if standing.groups else f"{name} was never released"
    return [styled(said, STRONG)]


def _begun(standing: ApplicationStatus, begun: ReleaseInProgress, name: str, glyphs: Glyphs) -> list[Text]:
    what, lease = _what(begun, name), standing.lease
    age = duration((standing.at - begun.began_at).total_seconds())
    since = f"began {moment(begun.began_at)} ({age} ago)"
    if lease is not None:
        return [styled(f"{glyphs.running} {what} is under way by {_whose(lease)}; {since}", BUSY)]
    left = f"was left unfinished by {sanitize(begun.actor)}; {since}, and nobody is at it"
    return [styled(f"{glyphs.queued} {what} {left}", BAD)]


def _what(begun: ReleaseInProgress, name: str) -> str:
    undoes = f", which undoes {sanitize(begun.undoes)}," if begun.undoes else ""
    return f"the {begun.kind.value} of {name} to {sanitize(begun.version)}{undoes}"


def _whose(lease: LeaseView) -> str:
    holder = lease.holder
    return f"{sanitize(holder.actor)} on {sanitize(holder.host)} (pid {holder.pid})"


def _details(standing: ApplicationStatus, begun: ReleaseInProgress) -> list[Text]:
    record = standing.record
    said = [sanitize(begun.release)]
    if record is not None and record.intent is not None and len(record.intent.waves) > 1:
        said.append(f"wave {standing.wave} of {len(record.intent.waves)}")
    if record is not None and record.baking is not None:
        said.append(baking_words(record.baking.until, now=standing.at))
    if record is not None and record.stop is not None:
        said.append(stop_request_text(record.stop))
    return [styled("  " + "; ".join(said), REST)]


def _row(group: GroupStatus, standing: ApplicationStatus, glyphs: Glyphs) -> list[Text | str]:
    desired = group.desired
    mark, style, word = _mark(group, glyphs)
    name = styled(f"{mark} ", style).append(sanitize(group.group))
    if desired is None:
        return [name, "", styled(word, style), "", "", "", ""]
    return [
        name,
        sanitize(desired.version),
        styled(word, style),
        _workers(group),
        sanitize(desired.deployment_id or ""),
        f"{duration((standing.at - desired.since).total_seconds())} ago",
        styled(sanitize(desired.previous_verified or ""), REST),
    ]


def _mark(group: GroupStatus, glyphs: Glyphs) -> tuple[str, str, str]:
    if group.waits_for_wave is not None:
        return glyphs.waiting, REST, f"{WAITING} for wave {group.waits_for_wave}"
    verdict = group.desired.verdict if group.desired else Verdict.UNKNOWN
    if group.has_failed:
        return glyphs.failed, BAD, verdict.value
    return (
        (glyphs.running, BUSY, verdict.value)
        if verdict is Verdict.RUNNING
        else (glyphs.held, GOOD, verdict.value)
    )


def _workers(group: GroupStatus) -> Text:
    """Live counts of a deployment that is watched or was left, such as `3/6, 1 failed`."""
    if group.deployment is None:
        return Text()
    counts = group.deployment.counts
    text = Text(f"{counts.succeeded}/{counts.total}")
    bad = counts.failed + counts.skipped
    return text.append(f", {bad} failed", BAD) if bad else text


def verdict_counts(standing: ApplicationStatus) -> dict[str, int]:
    """Groups by verdict, those that wait for their wave apart; the worst first."""
    words = Counter(
        WAITING if g.waits_for_wave is not None or g.desired is None else g.desired.verdict.value
        for g in standing.groups
    )
    order = [verdict.value for verdict in reversed(Verdict)]
    return dict(
        sorted(
            words.items(),
            key=lambda item: (item[0] not in order, order.index(item[0]) if item[0] in order else 0),
        )
    )


def _sum(standing: ApplicationStatus, glyphs: Glyphs) -> Text:
    """`50 groups: 1 failed · 2 running · 47 held; desired v123 on 48, v122 on 2`."""
    text = styled(f"{count(len(standing.groups), 'group')}: ", STRONG)
    for number, (word, groups) in enumerate(verdict_counts(standing).items()):
        text.append(f" {glyphs.dot} " if number else "").append(f"{groups:,} {word}", _STYLES.get(word, BAD))
    versions = Counter(sanitize(g.desired.version) for g in standing.groups if g.desired)
    ranked = [f"{version} on {groups:,}" for version, groups in versions.most_common()]
    if len(ranked) == 1:
        return text.append(f"; desired {next(iter(versions))}")
    return text.append(f"; desired {list_some(ranked, most=MAX_VERSIONS)}" if ranked else "")


_STYLES = {
    Verdict.VERIFIED.value: GOOD,
    Verdict.EMPTY.value: GOOD,
    Verdict.RUNNING.value: BUSY,
    WAITING: REST,
}


def _quietly(groups: Sequence[GroupStatus]) -> str:
    more = f"{len(groups):,} more group{'' if len(groups) == 1 else 's'}"
    return f"and {more}, none of them in trouble: deployctl status --group GLOB"


def _command(command: str, why: str, glyphs: Glyphs) -> Text:
    return Text(f"{glyphs.arrow} {command}").append(f"   # {why}" if why else "", REST)

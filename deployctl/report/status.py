"""`deployctl status`: the release in progress, each group, a summary line, and what to type next."""

from collections import Counter
from typing import Any

from rich.text import Text

from deployctl.model.command import shell_command
from deployctl.model.release import ReleaseInProgress
from deployctl.model.verdict import Verdict, worst
from deployctl.observe.status import ApplicationStatus, GroupStatus
from deployctl.report.formatting import (
    baking_text,
    count,
    duration,
    iso,
    list_some,
    moment,
    sanitize,
    stop_request_text,
)
from deployctl.report.json_output import holder_json, in_progress_json, json_fields, json_value, stop_json
from deployctl.report.lock import holder_text
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, dotted, styled
from deployctl.report.table import Column, lay_out_columns

STATUS_SCHEMA = "deployctl.status/1"
MAX_ROWS = 60
MAX_VERSIONS = 3
WAITING = "waiting"
GONE = "gone"
_COLUMNS = (
    Column("group", longest=48),
    Column("desired", longest=24),
    Column("verdict"),
    Column("workers"),
    Column("deployment", gives_way=3),
    Column("since", gives_way=1),
    Column("before", gives_way=2, longest=24),
)


def status_lines(status: ApplicationStatus, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """Failed groups on top, then the running ones; beyond `MAX_ROWS` groups, verified ones are only counted."""
    listed = sorted(status.groups, key=lambda g: (_rank(g), g.group))
    shown = listed
    if len(listed) > MAX_ROWS:
        shown = listed[: max(MAX_ROWS, sum(_rank(g) < _VERIFIED for g in listed))]
    lines = _in_progress(status, glyphs)
    if shown:
        rows = [_row(group, status, glyphs) for group in shown]
        lines += [Text(), *lay_out_columns(_COLUMNS, rows, width=columns, glyphs=glyphs)]
    if more := len(listed) - len(shown):
        lines.append(styled(f"{glyphs.ellipsis} and {count(more, 'more group')} without failures", REST))
        lines.append(Text(f"{glyphs.arrow} deployctl status --group GLOB"))
    if listed:
        lines += [Text(), _summary(status, glyphs)]
    commands = [
        Text(f"{glyphs.arrow} {command}").append(f"   # {why}" if why else "", REST)
        for command, why in next_commands(status)
    ]
    return [*lines, *commands]


def next_commands(status: ApplicationStatus) -> list[tuple[str, str]]:
    """What to type next, and what it does."""
    if status.in_progress is not None:
        return [("deployctl attach", "watch it" if status.lease is not None else "resume it")]
    if status.lease is not None:
        return [("deployctl status", "again in a moment")]
    if not status.groups:
        return [("deployctl release VERSION", "")]
    there = [g.desired for g in status.groups if g.desired is not None and not g.is_gone]
    bad = [desired for desired in there if not desired.verdict.is_verified]
    if not bad:
        return [("deployctl reconcile", "which workers really run it"), ("deployctl release VERSION", "")]
    commands = [("deployctl reconcile", "drifted workers, causes and fixes")]
    if printed := [d for d in bad if d.verdict in _WITH_FAILED_WORKERS]:
        verdict = worst(d.verdict for d in printed)
        release = max(d.release for d in printed if d.verdict is verdict)
        commands.append((shell_command("deployctl", "logs", release), "what the failed workers printed"))
    return commands


#: With other verdicts the deployment was stopped or not started, and no worker printed a reason.
_WITH_FAILED_WORKERS = frozenset({Verdict.PARTIAL, Verdict.ROLLED_BACK, Verdict.FAILED})


_VERIFIED = 3


def _rank(group: GroupStatus) -> int:
    """The group's part of the table: failed, running, waiting or gone, verified."""
    if group.has_failed:
        return 0
    if group.waits_for_wave is not None or group.is_gone:
        return 2
    return 1 if group.desired is not None and group.desired.verdict is Verdict.RUNNING else _VERIFIED


def _in_progress(status: ApplicationStatus, glyphs: Glyphs) -> list[Text]:
    name, lease, begun = sanitize(status.application), status.lease, status.in_progress
    if begun is not None:
        return [_release_line(status, begun, name, glyphs), _details(status, begun)]
    if lease is not None:
        what = f"{sanitize(lease.holder.version)} of {name}" if lease.holder.version else name
        return [styled(f"{glyphs.running} {what} is being prepared by {holder_text(lease.holder)}", BUSY)]
    return [
        styled(f"no release of {name} in progress" if status.groups else f"{name} has no releases", STRONG)
    ]


def _release_line(status: ApplicationStatus, begun: ReleaseInProgress, name: str, glyphs: Glyphs) -> Text:
    what = f"{begun.kind.value} of {name} to {sanitize(begun.version)}"
    what += f" (undoes {sanitize(begun.undoes)})" if begun.undoes else ""
    age = duration((status.at - begun.began_at).total_seconds())
    since = f"began {moment(begun.began_at)} ({age} ago)"
    if status.lease is not None:
        by = holder_text(status.lease.holder)
        return styled(f"{glyphs.running} {what} in progress, run by {by}; {since}", BUSY)
    left = f"unfinished: no process is running it; started by {sanitize(begun.actor)}, {since}"
    return styled(f"{glyphs.queued} {what} {left}", BAD)


def _details(status: ApplicationStatus, begun: ReleaseInProgress) -> Text:
    parts, record = [sanitize(begun.release)], status.record
    if record is not None and record.intent is not None and len(record.intent.waves) > 1:
        parts.append(f"wave {status.wave} of {len(record.intent.waves)}")
    if record is not None and record.baking is not None:
        parts.append(baking_text(record.baking.until, now=status.at))
    if record is not None and record.stop is not None:
        parts.append(stop_request_text(record.stop))
    if status.unread is not None:
        parts.append(sanitize(status.unread))
    return styled("  " + "; ".join(parts), REST)


def _row(group: GroupStatus, status: ApplicationStatus, glyphs: Glyphs) -> list[Text | str]:
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
        f"{duration((status.at - desired.since).total_seconds())} ago",
        styled(sanitize(desired.previous_verified or ""), REST),
    ]


def _mark(group: GroupStatus, glyphs: Glyphs) -> tuple[str, str, str]:
    if group.is_gone:
        return glyphs.waiting, REST, f"{GONE} from CodeDeploy"
    if group.waits_for_wave is not None:
        return glyphs.waiting, REST, f"{WAITING} for wave {group.waits_for_wave}"
    verdict = group.desired.verdict if group.desired else Verdict.UNKNOWN
    if group.has_failed:
        return glyphs.failed, BAD, verdict.value
    if verdict is Verdict.RUNNING:
        return glyphs.running, BUSY, verdict.value
    return glyphs.ok, GOOD, verdict.value


def _workers(group: GroupStatus) -> Text:
    """The counts of a running or unfinished deployment, such as `3/6, 1 failed`."""
    if group.deployment is None:
        return Text()
    counts = group.deployment.counts
    text = Text(f"{counts.succeeded}/{counts.total}")
    bad = counts.failed + counts.skipped
    return text.append(f", {bad} failed", BAD) if bad else text


def verdict_counts(status: ApplicationStatus) -> dict[str, int]:
    """Groups by verdict, the worst first; then groups that wait for their wave, and groups that are gone."""
    words = Counter(_word(group) for group in status.groups)
    order = [*(verdict.value for verdict in reversed(Verdict)), WAITING, GONE]
    return {word: words[word] for word in order if word in words}


def _word(group: GroupStatus) -> str:
    if group.is_gone:
        return GONE
    if group.waits_for_wave is not None or group.desired is None:
        return WAITING
    return group.desired.verdict.value


def _summary(status: ApplicationStatus, glyphs: Glyphs) -> Text:
    """`50 groups: 1 failed · 2 running · 47 verified; desired v123 on 48, v122 on 2`."""
    counts = verdict_counts(status).items()
    parts = ((f"{groups:,} {word}", _STYLES.get(word, BAD)) for word, groups in counts)
    text = styled(f"{count(len(status.groups), 'group')}: ", STRONG).append(dotted(parts, glyphs))
    versions = Counter(sanitize(g.desired.version) for g in status.groups if g.desired and not g.is_gone)
    ranked = [f"{version} on {groups:,}" for version, groups in versions.most_common()]
    if len(ranked) == 1:
        return text.append(f"; desired {next(iter(versions))}")
    return text.append(f"; desired {list_some(ranked, most=MAX_VERSIONS)}" if ranked else "")


_STYLES = {
    Verdict.VERIFIED.value: GOOD,
    Verdict.EMPTY.value: GOOD,
    Verdict.RUNNING.value: BUSY,
    WAITING: REST,
    GONE: REST,
}


def status_json(status: ApplicationStatus) -> dict[str, Any]:
    """An application's status: groups by name, `counts` for a running or unfinished deployment."""
    begun, lease = status.in_progress, status.lease
    return {
        "schema": STATUS_SCHEMA,
        **json_fields(status, "application", "at"),
        "in_progress": begun and {**in_progress_json(begun), "undoes": begun.undoes, **_progress(status)},
        "lock": lease and {**holder_json(lease.holder), "expires_in_s": round(lease.expires_in_s, 1)},
        "summary": {"groups": len(status.groups), "by_verdict": verdict_counts(status)},
        "groups": [_group_json(group) for group in status.groups],
        "next": [command for command, _ in next_commands(status)],
    }


def _progress(status: ApplicationStatus) -> dict[str, Any]:
    record = status.record
    return {
        "unread": status.unread,
        "wave": status.wave or None,
        "waves": len(record.intent.waves) if record and record.intent else None,
        "baking_until": iso(record.baking.until) if record and record.baking else None,
        "stop_requested": record.stop and stop_json(record.stop) if record else None,
    }


def _group_json(group: GroupStatus) -> dict[str, Any]:
    desired, deployment = group.desired, group.deployment
    return {
        "group": group.group,
        **json_fields(desired, "version", "verdict"),
        "release_id": desired and desired.release,
        **json_fields(desired, "since", "previous_verified", "deployment_id"),
        "waits_for_wave": group.waits_for_wave,
        "gone": group.is_gone,
        "status": deployment and deployment.status,
        "counts": deployment and {**json_value(deployment.counts), "total": deployment.counts.total},
    }

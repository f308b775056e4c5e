"""Artifacts in words: what is published and what needs it, and what a prune removes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployctl.model.artifact import Artifact, LeftoverKind, Manifest, OrphanedBundle, Use, UseKind
from deployctl.model.names import ApplicationName, Version
from deployctl.plan.prune import PrunePlan
from deployctl.report.formatting import as_utc, count, duration, iso, list_some, sanitize, size
from deployctl.report.style import GOOD, REST, STRONG, styled

LIST_SCHEMA = "deployctl.artifacts/1"
PRUNE_SCHEMA = "deployctl.prune/1"
MAX_GROUPS = 3
_LEFT = {
    LeftoverKind.UNPUBLISHED: "a bundle without its manifest, from a publication that was broken off",
    LeftoverKind.HALF_REMOVED: "half removed, by a prune that was broken off",
}

Uses = Mapping[Version, Sequence[Use]]


def artifact_lines(
    application: ApplicationName,
    artifacts: Sequence[Artifact],
    uses: Uses,
    leftovers: Sequence[OrphanedBundle],
    *,
    groups: int,
    columns: int,
) -> list[Text]:
    """Every artifact, the newest first; cells wrap, so that no name is cut off. `groups` is how many there are."""
    if not artifacts and not leftovers:
        return [Text(f"{sanitize(application)} has no published artifacts")]
    total = size(sum(a.manifest.size_bytes for a in artifacts))
    head = styled(f"{count(len(artifacts), 'artifact')} of {sanitize(application)}, {total}", STRONG)
    in_use = {version: in_use_by(those, groups=groups) for version, those in uses.items()}
    table = _laid_out(_table(artifacts, in_use), columns) if artifacts else []
    return [head, *table, *_left(leftovers)]


def _table(artifacts: Sequence[Artifact], in_use: Mapping[Version, str] | None = None) -> Table:
    """`in_use` says what needs each; without it there is no such column."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=REST)
    table.add_column("version", overflow="fold", min_width=8)
    table.add_column("no.", justify="right", no_wrap=True)
    table.add_column("published", no_wrap=True)
    table.add_column("by", overflow="fold")
    table.add_column("commit", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    if in_use is not None:
        table.add_column("in use by", overflow="fold", min_width=16)
    for artifact in artifacts:
        needed = () if in_use is None else (_needed(in_use.get(artifact.manifest.version)),)
        table.add_row(*_cells(artifact.manifest), *needed)
    return table


def _cells(manifest: Manifest) -> list[Text]:
    return [
        Text(sanitize(manifest.version)),
        Text(str(manifest.sequence)),
        Text(as_utc(manifest.created_at).strftime("%Y-%m-%d %H:%MZ")),
        Text(sanitize(manifest.actor)),
        Text(sanitize(manifest.commit or "-")[:9]),
        Text(size(manifest.size_bytes)),
    ]


def _needed(by: str | None) -> Text:
    return styled(by, GOOD) if by else styled("-", REST)


def _laid_out(table: Table, columns: int) -> list[Text]:
    console = Console(width=columns, color_system=None)
    rendered = console.render_lines(table, pad=False)
    return [Text.assemble(*((s.text, s.style or "") for s in line)) for line in rendered]


def in_use_by(uses: Sequence[Use], *, groups: int) -> str:
    """`desired in all 50 groups`, `rollback target in 48 groups, running in mail-send`.

    Each group is told with its strongest reason only.
    """
    strongest: dict[str, UseKind] = {}
    for use in uses:  # the strongest reason comes first
        if use.group is not None:
            strongest.setdefault(use.group, use.kind)
    said = ["the release under way"] if any(u.group is None for u in uses) else []
    for kind in UseKind:
        names = [sanitize(name) for name, reason in strongest.items() if reason is kind]
        if names:
            said.append(f"{kind.value} in {_groups(names, groups)}")
    return ", ".join(said)


def _groups(names: Sequence[str], groups: int) -> str:
    if len(names) == groups and groups > MAX_GROUPS:
        return f"all {groups:,} groups"
    return ", ".join(sorted(names)) if len(names) <= MAX_GROUPS else f"{len(names):,} groups"


def _left(leftovers: Sequence[OrphanedBundle]) -> list[Text]:
    return [
        styled(
            f"besides: {sanitize(left.version)}, {size(left.size_bytes)}, {_LEFT[left.kind]}"
            f" {duration(left.age_s)} ago",
            REST,
        )
        for left in leftovers
    ]


def prune_lines(
    application: ApplicationName, plan: PrunePlan, *, keep: int, columns: int, done: bool
) -> list[Text]:
    """What a prune removes, or (with `done`) has removed."""
    stays = _stays(application, plan, keep)
    if plan.removes_nothing:
        return [Text(f"nothing to remove; {stays} stay")]
    what = [count(len(plan.remove), "artifact")] if plan.remove else []
    what += [count(len(plan.leftovers), "leftover")] if plan.leftovers else []
    verb, leave = ("removed", "left") if done else ("would remove", "would leave")
    head = styled(f"{verb} {' and '.join(what)}, {size(plan.freed_bytes)}; {leave} {stays}", STRONG)
    names = list_some((sanitize(a.manifest.version) for a in plan.remove), most=20)
    listed = [Text(f"{verb}: {names}")] if plan.remove and done else []
    if plan.remove and not done:
        listed = _laid_out(_table(plan.remove), columns)
    return [head, *listed, *_left(plan.leftovers)]


def _stays(application: ApplicationName, plan: PrunePlan, keep: int) -> str:
    """`8 artifacts of shop (the 5 newest, and 3 in use)`."""
    newest = len(plan.stay) - len(plan.in_use)
    why = "all there are" if newest < keep else "the newest" if keep == 1 else f"the {keep:,} newest"
    why += f", and {len(plan.in_use):,} in use" if plan.in_use else ""
    return f"{count(len(plan.stay), 'artifact')} of {sanitize(application)} ({why})"


VERSIONED = (
    "the bucket is versioned: what was removed stays as noncurrent versions, and costs as much, until a lifecycle"
    " rule (NoncurrentVersionExpiration on artifacts/) expires them"
)


def artifacts_json(
    application: ApplicationName,
    artifacts: Sequence[Artifact],
    uses: Uses,
    leftovers: Sequence[OrphanedBundle],
) -> dict[str, Any]:
    """Every artifact with each reason why it must stay."""
    return {
        "schema": LIST_SCHEMA,
        "application": application,
        "artifacts": [
            {
                **_artifact(a),
                "in_use_by": [
                    {"kind": use.kind.value, "group": use.group} for use in uses.get(a.manifest.version, ())
                ],
            }
            for a in artifacts
        ],
        "leftovers": [_leftover(left) for left in leftovers],
    }


def prune_json(
    application: ApplicationName, plan: PrunePlan, *, keep: int, done: bool, kept_as_versions: bool
) -> dict[str, Any]:
    """What a prune removes, or (with `done`) has removed."""
    return {
        "schema": PRUNE_SCHEMA,
        "application": application,
        "keep": keep,
        "done": done,
        "removed": [_artifact(a) for a in plan.remove],
        "leftovers": [_leftover(left) for left in plan.leftovers],
        "freed_bytes": plan.freed_bytes,
        "stay": [a.manifest.version for a in plan.stay],
        "kept_as_versions": kept_as_versions,
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "version": manifest.version,
        "sequence": manifest.sequence,
        "published_at": iso(manifest.created_at),
        "published_by": manifest.actor,
        "commit": manifest.commit,
        "digest": manifest.digest,
        "size_bytes": manifest.size_bytes,
        "bucket": artifact.bucket,
        "key": artifact.key,
    }


def _leftover(left: OrphanedBundle) -> dict[str, Any]:
    return {
        "version": left.version,
        "kind": left.kind.value,
        "size_bytes": left.size_bytes,
        "age_s": round(left.age_s),
    }

"""Artifacts for people and as JSON: what is published, what uses it, and what a prune removes."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from deployctl.model.artifact import Artifact, LeftoverKind, OrphanedBundle, Use, UseKind
from deployctl.model.names import ApplicationName, Version
from deployctl.plan.prune import PrunePlan
from deployctl.report.formatting import count, duration, iso, list_some, moment, sanitize, size
from deployctl.report.json_output import artifact_json, json_fields, json_value
from deployctl.report.style import GOOD, REST, STRONG, styled
from deployctl.report.table import plain_table, table_lines

LIST_SCHEMA = "deployctl.artifacts/1"
PRUNE_SCHEMA = "deployctl.prune/1"
MAX_GROUPS = 3
_LEFTOVERS = {
    LeftoverKind.UNPUBLISHED: "a bundle without a manifest, from a publication interrupted",
    LeftoverKind.HALF_REMOVED: "half removed, by a prune interrupted",
    LeftoverKind.UNREADABLE: "kept, since its manifest.json cannot be read; written",
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
    """Every artifact, the newest first. `groups` is the application's number of groups."""
    if not artifacts and not leftovers:
        return [Text(f"{sanitize(application)} has no published artifacts")]
    total = size(sum(a.manifest.size_bytes for a in artifacts))
    head = styled(f"{count(len(artifacts), 'artifact')} of {sanitize(application)}, {total}", STRONG)
    in_use = {version: in_use_by(those, groups=groups) for version, those in uses.items()}
    table = table_lines(_table(artifacts, in_use), columns) if artifacts else []
    return [head, *table, *_leftover_lines(leftovers)]


def _table(artifacts: Sequence[Artifact], in_use: Mapping[Version, str] | None = None) -> Table:
    """`in_use` adds a column with what uses each version."""
    table = plain_table()
    table.add_column("version", overflow="fold", min_width=8)
    table.add_column("no.", justify="right", no_wrap=True)
    table.add_column("published", no_wrap=True)
    table.add_column("by", overflow="fold")
    table.add_column("commit", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    if in_use is not None:
        table.add_column("in use by", overflow="fold", min_width=16)
    for manifest in (artifact.manifest for artifact in artifacts):
        cells = [
            Text(sanitize(manifest.version)),
            Text(str(manifest.sequence)),
            Text(moment(manifest.created_at)),
            Text(sanitize(manifest.actor)),
            Text(sanitize(manifest.commit or "-")[:9]),
            Text(size(manifest.size_bytes)),
        ]
        if in_use is not None:
            used_by = in_use.get(manifest.version)
            cells.append(styled(used_by or "-", GOOD if used_by else REST))
        table.add_row(*cells)
    return table


def in_use_by(uses: Sequence[Use], *, groups: int) -> str:
    """`desired in all 50 groups`, `rollback target in 48 groups, running in mail-send`.

    Each group counts once, with its strongest reason.
    """
    strongest: dict[str, UseKind] = {}
    for use in uses:  # the strongest reason comes first
        if use.group is not None:
            strongest.setdefault(use.group, use.kind)
    parts = ["the release in progress"] if any(u.group is None for u in uses) else []
    for kind in UseKind:
        names = [sanitize(name) for name, reason in strongest.items() if reason is kind]
        if names:
            parts.append(f"{kind.value} in {_groups(names, groups)}")
    return ", ".join(parts)


def _groups(names: Sequence[str], groups: int) -> str:
    if len(names) == groups and groups > MAX_GROUPS:
        return f"all {groups:,} groups"
    return ", ".join(sorted(names)) if len(names) <= MAX_GROUPS else f"{len(names):,} groups"


def _leftover_lines(leftovers: Sequence[OrphanedBundle]) -> list[Text]:
    return [
        styled(
            f"leftover: {sanitize(each.version)}, {size(each.size_bytes)}, {_LEFTOVERS[each.kind]}"
            f" {duration(each.age_s)} ago",
            REST,
        )
        for each in leftovers
    ]


def prune_lines(
    application: ApplicationName, plan: PrunePlan, *, keep: int, columns: int, done: bool
) -> list[Text]:
    """What a prune removes, or (with `done`) has removed."""
    kept = _kept(application, plan, keep)
    if plan.removes_nothing:
        return [Text(f"nothing to remove; {kept} kept")]
    what = [count(len(plan.remove), "artifact")] if plan.remove else []
    what += [count(len(plan.leftovers), "leftover")] if plan.leftovers else []
    remove, keeps = ("removed", "kept") if done else ("would remove", "would keep")
    head = styled(f"{remove} {' and '.join(what)}, {size(plan.freed_bytes)}; {keeps} {kept}", STRONG)
    listed: list[Text] = []
    if plan.remove and done:
        names = list_some((sanitize(a.manifest.version) for a in plan.remove), most=20)
        listed = [Text(f"{remove}: {names}")]
    elif plan.remove:
        listed = table_lines(_table(plan.remove), columns)
    return [head, *listed, *_leftover_lines(plan.leftovers)]


def _kept(application: ApplicationName, plan: PrunePlan, keep: int) -> str:
    """`8 artifacts of shop (the 5 newest, and 3 in use)`."""
    newest = len(plan.stay) - len(plan.in_use)
    why = "all there are" if newest < keep else "the newest" if keep == 1 else f"the {keep:,} newest"
    why += f", and {len(plan.in_use):,} in use" if plan.in_use else ""
    return f"{count(len(plan.stay), 'artifact')} of {sanitize(application)} ({why})"


VERSIONED = (
    "the bucket is versioned: removed objects remain as noncurrent versions, at the same cost, until a lifecycle"
    " rule (NoncurrentVersionExpiration on artifacts/) expires them"
)


def artifacts_json(
    application: ApplicationName,
    artifacts: Sequence[Artifact],
    uses: Uses,
    leftovers: Sequence[OrphanedBundle],
) -> dict[str, Any]:
    """Every artifact with each of its uses."""
    return {
        "schema": LIST_SCHEMA,
        "application": application,
        "artifacts": [
            {**_artifact(a), "in_use_by": json_value(tuple(uses.get(a.manifest.version, ())))}
            for a in artifacts
        ],
        "leftovers": _leftovers(leftovers),
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
        "leftovers": _leftovers(plan.leftovers),
        "freed_bytes": plan.freed_bytes,
        "kept": [a.manifest.version for a in plan.stay],
        "kept_as_versions": kept_as_versions,
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    published = {"published_at": iso(manifest.created_at), "published_by": manifest.actor}
    return {**artifact_json(artifact), **published}


def _leftovers(bundles: Sequence[OrphanedBundle]) -> list[dict[str, Any]]:
    return [{**json_fields(b, "version", "kind", "size_bytes"), "age_s": round(b.age_s)} for b in bundles]

"""The artifact list and its prune, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from deployctl.model.artifact import LeftoverKind, OrphanedBundle, Use, UseKind
from deployctl.plan.prune import DAY_S, plan_prune
from deployctl.report.artifacts import artifact_lines, artifacts_json, in_use_by, prune_json, prune_lines
from tests.fakes.artifacts import made_up_artifact


def artifact(number, **changes):
    return made_up_artifact("shop", f"v{number}", sequence=number, **changes)


def use(kind, *groups):
    return [Use(kind=kind, group=group) for group in groups]


def leftover(version="v9", kind=LeftoverKind.UNPUBLISHED):
    return OrphanedBundle(application="shop", version=version, kind=kind, size_bytes=7_000, age_s=3 * DAY_S)


def lines_of(artifacts, uses=None, leftovers=(), *, columns=120, groups=50):
    lines = artifact_lines("shop", artifacts, uses or {}, leftovers, groups=groups, columns=columns)
    return [line.plain.rstrip() for line in lines]


NAMES = [f"queue-{n:02}" for n in range(50)]


@pytest.mark.parametrize(
    ("uses", "words"),
    [
        ([], ""),
        (use(UseKind.DESIRED, *NAMES), "desired in all 50 groups"),
        (use(UseKind.DESIRED, *NAMES[:49]), "desired in 49 groups"),
        (use(UseKind.ROLLBACK_TARGET, "video", "mail"), "rollback target in mail, video"),
        (
            use(UseKind.DESIRED, "mail") + use(UseKind.RUNNING, "mail", "pdf"),
            "desired in mail, running in pdf",
        ),
        ([Use(kind=UseKind.IN_PROGRESS)], "the release in progress"),
    ],
)
def test_an_artifact_shows_the_strongest_reason_of_each_group_that_needs_it(uses, words):
    assert in_use_by(uses, groups=50) == words


def test_each_artifact_has_a_row():
    rows = lines_of([artifact(2), artifact(1, commit=None)], {"v1": use(UseKind.ROLLBACK_TARGET, "video")})
    assert rows[0] == "2 artifacts of shop, 82.0 MB"
    assert [c.strip() for c in rows[2].split("  ") if c.strip()] == [
        *("v2", "2", "2026-11-22 12:00:00Z", "ci", "9f3c1d2", "41.0 MB", "-"),
    ]
    assert rows[3].split()[-4:] == ["rollback", "target", "in", "video"]
    assert " - " in rows[3]


def test_an_application_without_artifacts_says_so():
    assert lines_of([]) == ["shop has no published artifacts"]


def test_leftover_files_are_listed_with_their_reason():
    rows = lines_of([], leftovers=[leftover(), leftover("v8", LeftoverKind.HALF_REMOVED)])
    assert rows[1] == (
        "leftover: v9, 7.0 kB, a bundle without a manifest, from a publication interrupted 3d00h ago"
    )
    assert rows[2].endswith("half removed, by a prune interrupted 3d00h ago")


@pytest.mark.parametrize("columns", [80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(columns):
    version = "v2026.11.22-hotfix-for-the-invoices-of-the-whole-of-last-november"
    made = made_up_artifact("shop", version, actor="a-rather-long-name-of-a-build-robot")
    rows = lines_of([made], {version: use(UseKind.DESIRED, *NAMES)}, columns=columns)
    assert all(len(row) <= columns for row in rows[1:])
    assert version in "".join(row[: row.index("  ")] if "  " in row else row for row in rows[2:])


def test_names_from_outside_cannot_move_the_cursor():
    rows = lines_of([artifact(1, actor="evil\x1b[2J\nname")])
    assert not any("\x1b" in row or "\n" in row for row in rows)


def pruned(keep=2, *, done=False, uses=None, leftovers=(), columns=120):
    plan = plan_prune([artifact(n) for n in range(1, 6)], leftovers, uses or {}, keep=keep)
    return [line.plain.rstrip() for line in prune_lines("shop", plan, keep=keep, columns=columns, done=done)]


def test_a_dry_prune_lists_what_would_be_removed_and_kept():
    rows = pruned(uses={"v1": use(UseKind.DESIRED, "video")}, leftovers=[leftover()])
    assert rows[0] == (
        "would remove 2 artifacts and 1 leftover, 82.0 MB;"
        " would keep 3 artifacts of shop (the 2 newest, and 1 in use)"
    )
    assert [row.split()[0] for row in rows[2:4]] == ["v2", "v3"]
    assert rows[4].startswith("leftover: v9")


def test_a_finished_prune_lists_what_was_removed():
    assert pruned(keep=1, done=True) == [
        "removed 4 artifacts, 164.0 MB; kept 1 artifact of shop (the newest)",
        "removed: v1, v2, v3, v4",
    ]


def test_a_prune_without_anything_to_remove_says_so():
    assert pruned(keep=9) == ["nothing to remove; 5 artifacts of shop (all there are) kept"]


def test_the_json_list_has_every_reason():
    uses = {"v1": use(UseKind.DESIRED, "video") + use(UseKind.RUNNING, "video")}
    data = json.loads(json.dumps(artifacts_json("shop", [artifact(1)], uses, [leftover()])))
    assert data["schema"] == "deployctl.artifacts/1"
    (only,) = data["artifacts"]
    assert only["in_use_by"] == [
        {"kind": "desired", "group": "video"},
        {"kind": "running", "group": "video"},
    ]
    assert (only["version"], only["sequence"], only["published_at"]) == ("v1", 1, "2026-11-22T12:00:00Z")
    assert data["leftovers"] == [
        {"version": "v9", "kind": "unpublished", "size_bytes": 7_000, "age_s": 259_200}
    ]


def test_the_json_of_a_prune_says_whether_it_was_carried_out():
    plan = plan_prune([artifact(n) for n in range(1, 4)], [], {}, keep=1)
    data = prune_json("shop", plan, keep=1, done=True, kept_as_versions=True)
    assert data["schema"] == "deployctl.prune/1"
    assert [a["version"] for a in data["removed"]] == ["v1", "v2"]
    assert (data["done"], data["kept"], data["kept_as_versions"]) == (True, ["v3"], True)

"""`deployctl status`: the state in one sentence, the groups below, the next commands last."""

import json
from dataclasses import replace

import pytest

from deployctl.model.deployment import Counts, Deployment, DeploymentStatus
from deployctl.model.release import DesiredState, ReleaseInProgress, ReleaseKind
from deployctl.model.release_record import BakeRecord, ReleaseRecord
from deployctl.model.verdict import Verdict
from deployctl.observe.status import ApplicationStatus, GroupStatus
from deployctl.ports import Holder, LeaseView
from deployctl.report.status import status_json, status_lines
from deployctl.report.style import ASCII, UNICODE


class Stood:
    """Made-up standings: two groups that hold, unless others are given."""

    def __init__(self, make):
        self.make = make

    def group(self, name, verdict=Verdict.VERIFIED, *, counts=None, version="v123", wave=None):
        deployment = counts and Deployment(
            deployment_id="d-1",
            group=name,
            status=DeploymentStatus.IN_PROGRESS,
            counts=counts,
            revision=None,
            description="",
            creator="user",
            created_at=self.make.now,
        )
        desired = DesiredState(
            version=version,
            sequence=3,
            release="r-20261122T115000-aa",
            since=self.make.at(-90),
            previous_verified="v122",
            verdict=verdict,
            deployment_id="d-1",
        )
        return GroupStatus(group=name, desired=desired, deployment=deployment, waits_for_wave=wave)

    def begun(self, **changes):
        facts = {
            "release": "r-20261122T115000-aa",
            "version": "v123",
            "kind": ReleaseKind.RELEASE,
            "actor": "otto",
            "began_at": self.make.at(-130),
        }
        return ReleaseInProgress(**{**facts, **changes})

    def lease(self, version="v123"):
        holder = Holder(
            actor="maria", host="ci-1", pid=4711, release="r-x", version=version, acquired_at=self.make.now
        )
        return LeaseView(holder=holder, expires_in_s=24.0, renewed_ago_s=6.0)

    def record(self, **changes):
        plan = self.make.plan(*([self.make.group_plan(n)] for n in "abc"))
        facts = {
            "release_id": "r-20261122T115000-aa",
            "version": "v123",
            "began_at": self.make.now,
            "last_at": self.make.now,
            "intent": plan.intent,
        }
        return ReleaseRecord(**{**facts, **changes})

    def __call__(self, *groups, **changes):
        facts = {
            "application": "shop",
            "at": self.make.now,
            "in_progress": None,
            "record": None,
            "lease": None,
            "wave": 0,
            "groups": groups or (self.group("audio"), self.group("video")),
        }
        return ApplicationStatus(**{**facts, **changes})


@pytest.fixture
def stood(make):
    return Stood(make)


def lines_of(standing, *, columns=120, glyphs=UNICODE):
    return [line.plain for line in status_lines(standing, columns=columns, glyphs=glyphs)]


def test_a_verified_fleet_has_one_sentence_and_two_next_commands(stood):
    assert lines_of(stood()) == [
        "no release of shop in progress",
        "",
        "group    desired  verdict   deployment  since      before",
        "✓ audio  v123     verified  d-1         1m30s ago  v122",
        "✓ video  v123     verified  d-1         1m30s ago  v122",
        "",
        "2 groups: 2 verified; desired v123",
        "→ deployctl reconcile   # which workers really run it",
        "→ deployctl release VERSION",
    ]


def test_without_a_release_the_only_command_is_the_first_release(stood):
    assert lines_of(replace(stood(), groups=())) == ["shop has no releases", "→ deployctl release VERSION"]


def test_a_release_in_progress_names_its_process_and_the_attach_command(stood):
    groups = (
        stood.group("a"),
        stood.group("b", Verdict.RUNNING, counts=Counts(succeeded=3, failed=1, pending=2)),
        stood.group("c", version="v122", wave=3),
        stood.group("d", Verdict.RUNNING, counts=Counts(succeeded=1, pending=5)),
    )
    lines = lines_of(
        stood(*groups, in_progress=stood.begun(), lease=stood.lease(), record=stood.record(), wave=2)
    )
    assert lines[:2] == [
        (
            "▶ release of shop to v123 in progress, run by maria on ci-1 (pid 4711);"
            " began 2026-11-22 11:57:50Z (2m10s ago)"
        ),
        "  r-20261122T115000-aa; wave 2 of 3",
    ]
    assert [line.split()[:5] for line in lines[4:8]] == [
        ["✗", "b", "v123", "running", "3/6,"],
        ["▶", "d", "v123", "running", "1/6"],
        ["·", "c", "v122", "waiting", "for"],
        ["✓", "a", "v123", "verified", "d-1"],
    ]
    assert lines[-2:] == [
        "4 groups: 2 running · 1 verified · 1 waiting; desired v123 on 3, v122 on 1",
        "→ deployctl attach   # watch it",
    ]


def test_an_abandoned_release_says_that_no_process_runs_it(stood):
    lines = lines_of(stood(in_progress=stood.begun()))
    assert lines[0].startswith(
        "‖ release of shop to v123 unfinished: no process is running it; started by otto, began 2026-11-22"
    )
    assert lines[-1] == "→ deployctl attach   # resume it"


def test_a_rollback_names_the_version_that_it_undoes(stood):
    begun = stood.begun(kind=ReleaseKind.ROLLBACK, version="v122", undoes="r-1")
    assert lines_of(stood(in_progress=begun, lease=stood.lease()))[0].startswith(
        "▶ rollback of shop to v122 (undoes r-1) in progress, run by maria"
    )


def test_a_bake_and_a_stop_are_shown(stood, make):
    baking = BakeRecord(wave=1, at=make.now, until=make.at(75))
    record = stood.record(baking=baking, stop=make.stop())
    lines = lines_of(stood(in_progress=stood.begun(), lease=stood.lease(), record=record, wave=1))
    assert lines[1] == (
        "  r-20261122T115000-aa; wave 1 of 3; baking, 1m15s left; stop requested by maria at 12:00:30Z"
    )


def test_a_lock_without_a_release_means_a_release_in_preparation(stood):
    lines = lines_of(stood(lease=stood.lease(version="v124")))
    assert lines[0] == "▶ v124 of shop is being prepared by maria on ci-1 (pid 4711)"
    assert lines[-1] == "→ deployctl status   # again in a moment"


def test_failed_groups_refer_to_reconcile_and_to_the_logs_of_their_release(stood):
    lines = lines_of(
        stood(stood.group("a"), stood.group("z", Verdict.FAILED), stood.group("y", Verdict.PARTIAL))
    )
    assert [line.split()[1] for line in lines[3:6]] == ["y", "z", "a"]
    assert lines[-3:] == [
        "3 groups: 1 failed · 1 partial · 1 verified; desired v123",
        "→ deployctl reconcile   # drifted workers, causes and fixes",
        "→ deployctl logs r-20261122T115000-aa   # what the failed workers printed",
    ]


@pytest.mark.parametrize("verdict", [Verdict.STOPPED, Verdict.SUPERSEDED, Verdict.BUSY, Verdict.NOT_STARTED])
def test_without_failed_workers_no_logs_command_is_offered(stood, verdict):
    lines = lines_of(stood(stood.group("a", verdict)))
    assert lines[-1] == "→ deployctl reconcile   # drifted workers, causes and fixes"


def test_many_verified_groups_are_counted(stood):
    groups = [stood.group(f"g-{n:03}") for n in range(500)] + [stood.group("zz-bad", Verdict.FAILED)]
    lines = lines_of(stood(*groups))
    assert len(lines) == 69
    assert "zz-bad" in lines[3]
    assert lines[63:65] == [
        "… and 441 more groups without failures",
        "→ deployctl status --group GLOB",
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(stood, columns):
    groups = [stood.group("a-group-with-a-very-long-name-that-goes-on-and-on" * 2), stood.group("b")]
    for line in lines_of(stood(*groups), columns=columns)[2:5]:
        assert len(line) <= columns
    assert "verified" in lines_of(stood(*groups), columns=80)[3]


def test_a_terminal_without_unicode_gets_ascii_alone(stood):
    standing = stood(stood.group("a", Verdict.FAILED), in_progress=stood.begun(), lease=stood.lease())
    assert all(line.isascii() for line in lines_of(standing, glyphs=ASCII))


def test_hostile_names_stay_harmless(stood):
    group = stood.group("evil\x1b[2J\nname", version="v\x1b]0;x\x07")
    assert all(line.isprintable() for line in lines_of(stood(group)))


def test_the_json_has_the_same_content(stood):
    groups = (stood.group("a"), stood.group("b", Verdict.RUNNING, counts=Counts(succeeded=3, failed=1)))
    standing = stood(*groups, in_progress=stood.begun(), lease=stood.lease(), record=stood.record(), wave=1)
    found = json.loads(json.dumps(status_json(standing)))
    assert found["schema"] == "deployctl.status/1"
    assert list(found) == [
        "schema", "application", "at", "in_progress", "lock", "summary", "groups", "next",
    ]  # fmt: skip
    assert found["in_progress"]["wave"] == 1
    assert found["in_progress"]["waves"] == 3
    assert found["lock"]["actor"] == "maria"
    assert found["summary"] == {"groups": 2, "by_verdict": {"running": 1, "verified": 1}}
    assert found["groups"][1]["counts"]["failed"] == 1
    assert found["groups"][0]["counts"] is None
    assert found["next"] == ["deployctl attach"]
    quiet = status_json(replace(stood(), groups=()))
    assert (quiet["in_progress"], quiet["lock"], quiet["groups"]) == (None, None, [])

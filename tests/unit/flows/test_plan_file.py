"""A plan in a file: what comes back is what was saved, and whatever else comes is refused with why."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.errors import ExitCode
from deployctl.flows.artifact import ArtifactRequest, NotPublished, candidate
from deployctl.flows.plan_file import (
    MAX_BYTES,
    Asked,
    PlanChanged,
    PlanFileEdited,
    PlanFileForeign,
    PlanFileNewer,
    PlanFileUnreadable,
    PlanNotRepeatable,
    PlanNotWritten,
    load,
    save,
)
from deployctl.flows.release import ReleaseOptions, dry_run
from deployctl.model.event import GroupStarted
from deployctl.model.names import Version
from deployctl.model.refusals import VersionTaken
from deployctl.model.release import Budget, OnFailure, ReleaseKind, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.release import GroupRules
from tests.fakes.releasing import Desk, Killed
from tests.unit.flows.test_artifact import commit, git, make_repository

ASKED = Asked(globs=("v*", "audio"), redeploy=True, allow_downgrade=True)


@pytest.fixture
def desk() -> Desk:
    return Desk({"audio": 2, "pdf": 0, "video": 3}, strategies={"audio": "one", "video": "25%"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def planned(desk: Desk, version: str = "v2"):
    asked = ArtifactRequest(version=Version(version), repository=Path("/nowhere"), actor="ci", existing=True)
    return dry_run(ReleaseOptions(artifact=asked), desk.settings, desk.ports()).plan


@pytest.fixture
def saved(desk, path):
    save(path, planned(desk), asked=ASKED, settings=desk.settings)
    return load(path, desk.settings)


def test_what_was_saved_comes_back(desk, path):
    plan = planned(desk)
    save(path, plan, asked=ASKED, settings=desk.settings)
    found = load(path, desk.settings)
    assert (found.plan, found.asked, found.path) == (plan, ASKED, path)


def test_a_plan_with_every_kind_of_value_comes_back(desk, path):
    desk.release("v2", "audio")
    desk.settings = replace(
        desk.settings,
        max_failed=Budget(10, is_percent=True),
        policy=replace(desk.settings.policy, max_failed_total=Budget(3), alarms=("Überlast", 'a"b')),
    )
    plan = planned(desk)
    save(path, plan, asked=ASKED, settings=desk.settings)
    assert load(path, desk.settings).plan == plan


def test_the_file_says_what_it_is_and_can_be_read_by_people(saved, path):
    fields = json.loads(path.read_text())
    assert fields["schema"] == "deployctl.plan-file/1"
    assert fields["plan"]["version"] == "v2"
    assert path.read_text().count("\n") > 50


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(desk, path):
    for version in ("v2", "v3"):
        save(path, planned(desk, version), asked=ASKED, settings=desk.settings)
    assert load(path, desk.settings).plan.version == "v3"
    assert [p.name for p in path.parent.iterdir()] == ["plan.json"]


def test_a_link_is_written_through(desk, tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    save(tmp_path / "link.json", planned(desk), asked=ASKED, settings=desk.settings)
    assert (tmp_path / "link.json").is_symlink()
    assert load(tmp_path / "real.json", desk.settings).plan.version == "v2"


@pytest.mark.parametrize("where", ["missing/plan.json", ".", "plan.json/plan.json"])
def test_where_it_cannot_be_written_it_says_why(desk, tmp_path, where):
    (tmp_path / "plan.json").write_text("a file")
    with pytest.raises(PlanNotWritten) as refused:
        save(tmp_path / where, planned(desk), asked=ASKED, settings=desk.settings)
    assert refused.value.noun == str(tmp_path / where)


def test_a_device_is_not_replaced_by_a_file(desk, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlanNotWritten, match="not a file"):
        save(tmp_path / "pipe", planned(desk), asked=ASKED, settings=desk.settings)


# What is carried out later.


def fresh(desk, saved):
    """As a release makes its plan, by the saved rules."""
    asked = saved.artifact_request(repository=Path("/nowhere"), actor="you")
    return dry_run(ReleaseOptions(artifact=asked), desk.settings, desk.ports()).plan


def test_while_nothing_changes_the_plan_holds(desk, saved):
    desk.cloud.clock.sleep(3_600)
    saved.ensure_same(fresh(desk, saved))


def test_that_the_fleet_has_changed_is_refused_with_what_has(desk, saved):
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(600)
    desk.release("v2", "audio")
    with pytest.raises(PlanChanged) as refused:
        saved.ensure_same(fresh(desk, saved))
    changes = refused.value.changes
    (new,) = set(desk.cloud.instance_ids("video")) - {
        w.instance_id for g in saved.plan.groups for w in g.workers
    }
    assert f"video gained {new}" in changes
    assert "audio is done already, it was to be deployed to" in changes
    assert "audio: its desired version is v2, it was v1" in changes
    assert any("on v2 now, on v1 before" in change for change in changes)
    assert refused.value.details == changes
    assert f"--out {saved.path}" in refused.value.remedy
    assert refused.value.exit_code is ExitCode.USAGE


class TestBegunAndLeft:
    """The plan was being carried out when its process was killed, and is given again."""

    @pytest.fixture
    def desk(self) -> Desk:
        return Desk({"audio": 2, "pdf": 0, "video": 3}, strategies={"audio": "one"})

    def saved(self, desk, path):
        save(path, planned(desk), asked=Asked(), settings=desk.settings)
        return load(path, desk.settings)

    def leave(self, desk, *globs, deployments=2, **options):
        """Begin to release v2, and be killed once video has so many deployments."""

        def die(event) -> None:
            if isinstance(event, GroupStarted) and len(desk.cloud.deployments_of("video")) == deployments:
                raise Killed

        desk.watching.append(die)
        with pytest.raises(Killed):
            desk.release("v2", *globs, **options)
        desk.watching.clear()
        desk.die()
        desk.cloud.clock.sleep(31)
        return desk.state.under_way

    def test_it_goes_on_with_its_own_release_and_starts_nothing_twice(self, desk, path):
        saved = self.saved(desk, path)
        begun = self.leave(desk, saved=saved)
        desk.cloud.scale("audio", +1)
        outcome = desk.release(saved=saved)
        assert (outcome.release_id, outcome.verdict) == (begun.release, Verdict.HELD)
        assert len(desk.cloud.deployments_of("video")) == 2

    def test_a_group_that_is_new_since_is_not_the_plans(self, desk, path):
        saved = self.saved(desk, path)
        self.leave(desk, saved=saved)
        desk.cloud.add_group("new", 2)
        assert {g.group for g in desk.release(saved=saved).groups} == {"audio", "pdf", "video"}

    def test_a_dry_run_of_it_shows_what_goes_on(self, desk, path):
        saved = self.saved(desk, path)
        begun = self.leave(desk, saved=saved)
        asked = saved.artifact_request(repository=Path("/nowhere"), actor="you")
        plan = dry_run(ReleaseOptions(artifact=asked, saved=saved), desk.settings, desk.ports()).plan
        assert (plan.release_id, plan.resumes) == (begun.release, True)

    def test_another_release_of_that_version_is_refused_as_before(self, desk, path):
        saved = self.saved(desk, path)
        self.leave(desk, "video")
        with pytest.raises(PlanChanged, match="has begun since"):
            desk.release(saved=saved)

    def test_that_its_own_policy_takes_it_back_is_gone_on_with_too(self, desk, path):
        desk.policy(on_failure=OnFailure.ROLLBACK)
        saved = self.saved(desk, path)
        desk.cloud.plant("hook-fails", group="audio", times=1)
        assert self.leave(desk, saved=saved, deployments=3).kind is ReleaseKind.ROLLBACK
        assert desk.release(saved=saved).verdict is Verdict.ROLLED_BACK


def test_of_very_many_changes_the_first_are_named_and_the_others_counted(desk, saved):
    for number in range(30):
        desk.cloud.add_group(f"new-{number:02}", 0)
    with pytest.raises(PlanChanged) as refused:
        saved.ensure_same(fresh(desk, saved))
    assert len(refused.value.details) == 21
    assert refused.value.details[-1] == "and 10 more"
    assert "29 other changes" in refused.value.message


def test_groups_keep_the_rules_of_the_dry_run_and_new_ones_have_their_own(desk, saved):
    own = GroupRules(strategy=parse_strategy("all"), wave=5, max_failed=Budget(9))
    rules = saved.rules_of(lambda _: own)
    groups = {g.name: g for g in desk.cloud.groups(desk.settings.application)}
    assert rules(groups["video"]) == GroupRules(strategy=parse_strategy("25%"), wave=0)
    assert rules(replace(groups["video"], name="new")) == own
    assert saved.policy == saved.plan.policy


def test_what_is_published_is_released_as_it_is(saved):
    request = saved.artifact_request(repository=Path("/r"), actor="you")
    assert (request.version, request.existing, request.ref, request.actor) == ("v2", True, None, "you")


def test_a_version_that_was_pruned_since_is_refused(desk, saved):
    desk.artifacts.remove(desk.artifacts.find("shop", "v2"))
    with pytest.raises(NotPublished):
        fresh(desk, saved)


class TestOfACommit:
    """The version is not published at the dry run: it is built again from the commit that the plan names."""

    @pytest.fixture
    def repository(self, tmp_path) -> Path:
        return make_repository(tmp_path / "repo")

    def plan(self, desk, repository, **more):
        asked = ArtifactRequest(version=Version("v9"), repository=repository, actor="ci", **more)
        return dry_run(ReleaseOptions(artifact=asked), desk.settings, desk.ports()).plan

    @pytest.fixture
    def saved(self, desk, path, repository):
        save(path, self.plan(desk, repository), asked=ASKED, settings=desk.settings)
        return load(path, desk.settings)

    def test_it_is_the_same_bundle_wherever_the_repository_has_gone(self, desk, saved, repository):
        (repository / "appspec.yml").write_text("something else altogether")
        commit(repository)
        asked = saved.artifact_request(repository=repository, actor="you")
        assert asked.ref == saved.plan.artifacts[0].manifest.commit
        with candidate(asked, desk.settings, desk.ports()) as found:
            saved.ensure_same(saved.plan.with_artifact(found.publish(desk.artifacts)))

    def test_published_meanwhile_from_that_commit_it_needs_no_repository(self, desk, saved, repository):
        with candidate(
            saved.artifact_request(repository=repository, actor="you"), desk.settings, desk.ports()
        ) as found:
            found.publish(desk.artifacts)
        asked = saved.artifact_request(repository=Path("/"), actor="you")
        with candidate(asked, desk.settings, desk.ports()) as found:
            saved.ensure_same(saved.plan.with_artifact(found.artifact))

    def test_published_meanwhile_from_another_commit_it_is_refused(self, desk, saved, repository):
        commit(repository)
        other = ArtifactRequest(version=Version("v9"), repository=repository, actor="you")
        with candidate(other, desk.settings, desk.ports()) as found:
            found.publish(desk.artifacts)
        asked = saved.artifact_request(repository=repository, actor="you")
        with pytest.raises(VersionTaken), candidate(asked, desk.settings, desk.ports()):
            pass

    def test_built_otherwise_it_is_refused_by_its_digest(self, desk, saved, repository):
        settings = replace(desk.settings, build=replace(desk.settings.build, exclude=("*.md",)))
        (repository / "README.md").write_text("x")
        asked = saved.artifact_request(repository=repository, actor="you")
        settings = replace(settings, build=replace(settings.build, command="echo more > more.txt"))
        with candidate(asked, settings, desk.ports()) as found, pytest.raises(PlanChanged) as refused:
            saved.ensure_same(saved.plan.with_artifact(found.artifact))
        assert "the bundle of v9 is another" in refused.value.message

    def test_a_working_tree_that_is_not_committed_is_no_plan_to_keep(self, desk, path, repository):
        (repository / "new.txt").write_text("x")
        plan = self.plan(desk, repository, allow_dirty=True)
        with pytest.raises(PlanNotRepeatable, match="working tree") as refused:
            save(path, plan, asked=ASKED, settings=desk.settings)
        assert "deployctl push v9 --dirty" in refused.value.remedy
        assert not path.exists()

    def test_a_commit_is_named_whole(self, saved, repository):
        assert saved.plan.artifacts[0].manifest.commit == git(repository, "rev-parse", "HEAD")


def test_a_rollback_is_not_saved(desk, path):
    with pytest.raises(PlanNotRepeatable):
        save(path, replace(planned(desk), kind=ReleaseKind.ROLLBACK), asked=ASKED, settings=desk.settings)


# Files that no dry run wrote.


def forge(path: Path, change, *, sign: bool = True) -> None:
    """Change what the file says; signed, as by somebody who means it."""
    fields = json.loads(path.read_text())
    fields.pop("digest")
    change(fields)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest() if sign else "0" * 64
    path.write_text(json.dumps({**fields, "digest": digest}))


def test_laid_out_otherwise_it_is_the_same(desk, saved, path):
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert load(path, desk.settings).plan == saved.plan


@pytest.mark.parametrize(
    "edit",
    [
        ('"strategy"', '"strategie"'),
        ('"percent": 25', '"percent": 100'),
        ('"redeploy": true', '"redeploy": false'),
        ('"v1"', '"v0"'),
    ],
)
def test_edited_by_hand_it_is_refused(desk, saved, path, edit):
    before = path.read_text()
    path.write_text(before.replace(*edit))
    assert path.read_text() != before
    with pytest.raises(PlanFileEdited, match="was changed after the dry run had written it"):
        load(path, desk.settings)


def test_without_its_digest_it_is_refused(desk, saved, path):
    fields = json.loads(path.read_text())
    del fields["digest"]
    path.write_text(json.dumps(fields))
    with pytest.raises(PlanFileEdited):
        load(path, desk.settings)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("application", {"application": "blog"}),
        ("region", {"region": "us-east-1"}),
        ("bucket", {"bucket": "another-bucket"}),
    ],
)
def test_of_another_application_or_account_it_is_refused_by_name(desk, saved, path, what, changes):
    with pytest.raises(PlanFileForeign, match=what) as refused:
        load(path, replace(desk.settings, **changes))
    assert next(iter(changes.values())) in refused.value.message


@pytest.mark.parametrize("schema", ["deployctl.plan-file/2", "deployctl.plan-file/10"])
def test_of_a_newer_schema_it_is_refused_as_newer(desk, saved, path, schema):
    forge(path, lambda fields: fields.update(schema=schema, plan="in a way that is not known yet"))
    with pytest.raises(PlanFileNewer, match="newer"):
        load(path, desk.settings)


@pytest.mark.parametrize("schema", ["deployctl.plan/1", "deployctl.plan-file/x", "", None, 7, "x" * 10_000])
def test_of_another_schema_it_is_refused_as_no_plan(desk, saved, path, schema):
    forge(path, lambda fields: fields.update(schema=schema))
    with pytest.raises(PlanFileUnreadable, match="schema") as refused:
        load(path, desk.settings)
    assert len(refused.value.message) < 400


def set_version(fields):
    fields["plan"]["version"] = "../../etc"


def other_artifacts_version(fields):
    for wave in fields["plan"]["waves"]:
        wave[0]["artifact"]["manifest"]["version"] = "v7"


def odd_strategy(fields):
    fields["plan"]["waves"][0][0]["strategy"] = {"kind": "percent", "percent": 7}


def negative_budget(fields):
    fields["plan"]["waves"][0][0]["max_failed"] = {"number": -1, "is_percent": False}


def odd_commit(fields):
    for group in fields["plan"]["waves"][0]:
        group["artifact"]["manifest"].update(sequence=0, commit="--upload-pack=evil")


def no_groups(fields):
    fields["plan"]["waves"] = []


def of_a_rollback(fields):
    fields["plan"]["kind"] = "rollback"


def without_a_field(fields):
    del fields["plan"]["waves"][0][0]["asgs"]


def of_another_type(fields):
    fields["plan"]["planned_at"] = "tomorrow"


def a_step_that_is_none(fields):
    fields["plan"]["waves"][0][0]["step"] = "destroy"


@pytest.mark.parametrize(
    "change",
    [
        set_version, other_artifacts_version, odd_strategy, negative_budget, odd_commit, no_groups,
        of_a_rollback, without_a_field, of_another_type, a_step_that_is_none,
    ],
)  # fmt: skip
def test_what_no_dry_run_writes_is_refused_even_with_its_digest(desk, saved, path, change):
    forge(path, change)
    with pytest.raises(PlanFileUnreadable) as refused:
        load(path, desk.settings)
    assert not isinstance(refused.value, PlanFileEdited)


HOSTILE = {
    "empty": b"",
    "text": b"a plan",
    "half": b'{"schema": "deployctl.plan-file/1", "plan": {',
    "list": b"[1, 2]",
    "number": b"7",
    "null": b"null",
    "nan": b'{"schema": "deployctl.plan-file/1", "x": NaN}',
    "infinity": b'{"schema": "deployctl.plan-file/1", "x": -Infinity}',
    "not-utf-8": b'{"schema": "\xff\xfe"}',
    "mark": b"\xef\xbb\xbf{}",
    "deep-list": b"[" * 200_000,
    "deep-object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep-whole": b'{"schema": "deployctl.plan-file/1", "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    "long-number": b'{"schema": "deployctl.plan-file/1", "x": ' + b"9" * 100_000 + b"}",
    "huge-exponent": b'{"schema": "deployctl.plan-file/1", "x": 1e999999}',
    "surrogate": b'{"schema": "deployctl.plan-file/1", "x": "\\ud800"}',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_the_file_holds_it_is_refused_in_a_sentence(desk, path, name):
    path.write_bytes(HOSTILE[name])
    with pytest.raises(PlanFileUnreadable) as refused:
        load(path, desk.settings)
    assert refused.value.noun == str(path)
    assert len(refused.value.message) < 500


def test_a_file_that_is_far_too_large_is_not_read_to_its_end(desk, path):
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 1_000)
    with pytest.raises(PlanFileUnreadable, match="larger than 32 MiB"):
        load(path, desk.settings)


def test_what_is_no_file_is_refused_and_not_waited_for(desk, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "missing"):
        with pytest.raises(PlanFileUnreadable):
            load(place, desk.settings)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_read_or_refused(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("any") / "plan.json"
    path.write_text(json.dumps(value))
    with pytest.raises(PlanFileUnreadable):
        load(path, DESK.settings)


DESK = Desk({}, on_v1=False)


def test_a_plan_that_is_saved_while_another_reads_it_is_whole(desk, path):
    plans = [planned(desk, "v2"), planned(desk, "v3")]
    save(path, plans[0], asked=ASKED, settings=desk.settings)
    over = threading.Event()

    def write():
        while not over.is_set():
            for plan in plans:
                save(path, plan, asked=ASKED, settings=desk.settings)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            assert load(path, desk.settings).plan in plans
    finally:
        over.set()
        writer.join()

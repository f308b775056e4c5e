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
from deployctl.flows.plan_file import (
    MAX_BYTES,
    PlanChanged,
    PlanFileEdited,
    PlanFileForeign,
    PlanFileNewer,
    PlanFileUnreadable,
    PlanNotRepeatable,
    PlanNotWritten,
    PlanRequest,
    load,
    save,
)
from deployctl.flows.release import ReleaseOptions, dry_run
from deployctl.flows.resolve_artifact import ArtifactRequest, NotPublished, resolve_artifact
from deployctl.model.artifact import LintMode
from deployctl.model.event import GroupStarted
from deployctl.model.names import Version
from deployctl.model.port_errors import VersionTaken
from deployctl.model.release import ReleaseKind
from deployctl.model.strategy import Budget, OnFailure, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.release import GroupRules
from tests.fakes.releasing import Killed, ReleaseHarness
from tests.unit.flows.test_resolve_artifact import commit, git, make_repository

ASKED = PlanRequest(globs=("v*", "audio"), redeploy=True, allow_downgrade=True)


@pytest.fixture
def harness() -> ReleaseHarness:
    return ReleaseHarness({"audio": 2, "pdf": 0, "video": 3}, strategies={"audio": "one", "video": "25%"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def planned(harness: ReleaseHarness, version: str = "v2"):
    asked = ArtifactRequest(version=Version(version), repository=Path("/nowhere"), actor="ci", existing=True)
    return dry_run(ReleaseOptions(artifact=asked), harness.settings, harness.ports()).plan


@pytest.fixture
def saved(harness, path):
    save(path, planned(harness), asked=ASKED, settings=harness.settings)
    return load(path, harness.settings)


def test_what_was_saved_comes_back(harness, path):
    plan = planned(harness)
    save(path, plan, asked=ASKED, settings=harness.settings)
    found = load(path, harness.settings)
    assert (found.plan, found.asked, found.path) == (plan, ASKED, path)


def test_a_plan_with_every_kind_of_value_comes_back(harness, path):
    harness.release("v2", "audio")
    harness.settings = replace(
        harness.settings,
        max_failed=Budget(10, is_percent=True),
        policy=replace(harness.settings.policy, max_failed_total=Budget(3), alarms=("Überlast", 'a"b')),
    )
    plan = planned(harness)
    save(path, plan, asked=ASKED, settings=harness.settings)
    assert load(path, harness.settings).plan == plan


def test_the_file_says_what_it_is_and_can_be_read_by_people(saved, path):
    fields = json.loads(path.read_text())
    assert fields["schema"] == "deployctl.plan-file/1"
    assert fields["plan"]["version"] == "v2"
    assert path.read_text().count("\n") > 50


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(harness, path):
    for version in ("v2", "v3"):
        save(path, planned(harness, version), asked=ASKED, settings=harness.settings)
    assert load(path, harness.settings).plan.version == "v3"
    assert [p.name for p in path.parent.iterdir()] == ["plan.json"]


def test_a_link_is_written_through(harness, tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    save(tmp_path / "link.json", planned(harness), asked=ASKED, settings=harness.settings)
    assert (tmp_path / "link.json").is_symlink()
    assert load(tmp_path / "real.json", harness.settings).plan.version == "v2"


@pytest.mark.parametrize("where", ["missing/plan.json", ".", "plan.json/plan.json"])
def test_where_it_cannot_be_written_it_says_why(harness, tmp_path, where):
    (tmp_path / "plan.json").write_text("a file")
    with pytest.raises(PlanNotWritten) as refused:
        save(tmp_path / where, planned(harness), asked=ASKED, settings=harness.settings)
    assert refused.value.noun == str(tmp_path / where)


def test_a_device_is_not_replaced_by_a_file(harness, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlanNotWritten, match="not a regular file"):
        save(tmp_path / "pipe", planned(harness), asked=ASKED, settings=harness.settings)


# What is carried out later.


def fresh(harness, saved):
    """As a release makes its plan, by the saved rules."""
    asked = saved.artifact_request(repository=Path("/nowhere"), actor="you")
    return dry_run(ReleaseOptions(artifact=asked), harness.settings, harness.ports()).plan


def test_while_nothing_changes_the_plan_holds(harness, saved):
    harness.cloud.clock.sleep(3_600)
    saved.require_unchanged(fresh(harness, saved))


def test_that_the_fleet_has_changed_is_refused_with_what_has(harness, saved):
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(600)
    harness.release("v2", "audio")
    with pytest.raises(PlanChanged) as refused:
        saved.require_unchanged(fresh(harness, saved))
    changes = refused.value.details
    (new,) = set(harness.cloud.instance_ids("video")) - {
        w.instance_id for g in saved.plan.groups for w in g.workers
    }
    assert f"video gained {new}" in changes
    assert "audio is done already, it was to be deployed" in changes
    assert "audio: its desired version is v2, it was v1" in changes
    assert any("on v2 now, on v1 before" in change for change in changes)
    assert f"--out {saved.path}" in refused.value.remedy
    assert refused.value.exit_code is ExitCode.USAGE


class TestBegunAndLeft:
    """The plan was being carried out when its process was killed, and is given again."""

    @pytest.fixture
    def harness(self) -> ReleaseHarness:
        return ReleaseHarness({"audio": 2, "pdf": 0, "video": 3}, strategies={"audio": "one"})

    def saved(self, harness, path):
        save(path, planned(harness), asked=PlanRequest(), settings=harness.settings)
        return load(path, harness.settings)

    def leave(self, harness, *globs, deployments=2, **options):
        """Begin to release v2, and be killed once video has so many deployments."""

        def die(event) -> None:
            if isinstance(event, GroupStarted) and len(harness.cloud.deployments_of("video")) == deployments:
                raise Killed

        harness.watching.append(die)
        with pytest.raises(Killed):
            harness.release("v2", *globs, **options)
        harness.watching.clear()
        harness.die()
        harness.cloud.clock.sleep(31)
        return harness.state.in_progress

    def test_it_resumes_its_own_release_and_starts_nothing_twice(self, harness, path):
        saved = self.saved(harness, path)
        begun = self.leave(harness, saved=saved)
        harness.cloud.scale("audio", +1)
        outcome = harness.release(saved=saved)
        assert (outcome.release_id, outcome.verdict) == (begun.release, Verdict.VERIFIED)
        assert len(harness.cloud.deployments_of("video")) == 2

    def test_a_group_that_is_new_since_is_not_the_plans(self, harness, path):
        saved = self.saved(harness, path)
        self.leave(harness, saved=saved)
        harness.cloud.add_group("new", 2)
        assert {g.group for g in harness.release(saved=saved).groups} == {"audio", "pdf", "video"}

    def test_its_dry_run_shows_the_resumed_release(self, harness, path):
        saved = self.saved(harness, path)
        begun = self.leave(harness, saved=saved)
        asked = saved.artifact_request(repository=Path("/nowhere"), actor="you")
        plan = dry_run(ReleaseOptions(artifact=asked, saved=saved), harness.settings, harness.ports()).plan
        assert (plan.release_id, plan.resumes) == (begun.release, True)

    def test_another_release_of_that_version_is_refused_as_before(self, harness, path):
        saved = self.saved(harness, path)
        self.leave(harness, "video")
        with pytest.raises(PlanChanged, match="has started since"):
            harness.release(saved=saved)

    def test_it_resumes_its_automatic_rollback_too(self, harness, path):
        harness.policy(on_failure=OnFailure.ROLLBACK)
        saved = self.saved(harness, path)
        harness.cloud.inject("hook-fails", group="audio", times=1)
        assert self.leave(harness, saved=saved, deployments=3).kind is ReleaseKind.ROLLBACK
        assert harness.release(saved=saved).verdict is Verdict.ROLLED_BACK


def test_of_very_many_changes_the_first_are_named_and_the_others_counted(harness, saved):
    for number in range(30):
        harness.cloud.add_group(f"new-{number:02}", 0)
    with pytest.raises(PlanChanged) as refused:
        saved.require_unchanged(fresh(harness, saved))
    assert len(refused.value.details) == 21
    assert refused.value.details[-1] == "and 10 more"
    assert "29 other changes" in refused.value.message


def test_groups_keep_the_rules_of_the_dry_run_and_new_ones_have_their_own(harness, saved):
    own = GroupRules(strategy=parse_strategy("all"), wave=5, max_failed=Budget(9))
    rules = saved.rules_of(lambda _: own)
    groups = {g.name: g for g in harness.cloud.groups(harness.settings.application)}
    assert rules(groups["video"]) == GroupRules(strategy=parse_strategy("25%"), wave=0)
    assert rules(replace(groups["video"], name="new")) == own


def test_what_is_published_is_released_as_it_is(saved):
    request = saved.artifact_request(repository=Path("/r"), actor="you")
    assert (request.version, request.existing, request.ref, request.actor) == ("v2", True, None, "you")


def test_a_version_that_was_pruned_since_is_refused(harness, saved):
    harness.artifacts.remove(harness.artifacts.find("shop", "v2"))
    with pytest.raises(NotPublished):
        fresh(harness, saved)


class TestOfACommit:
    """The version is not published at the dry run: it is built again from the commit that the plan names."""

    @pytest.fixture
    def repository(self, tmp_path) -> Path:
        return make_repository(tmp_path / "repo")

    def plan(self, harness, repository, **more):
        asked = ArtifactRequest(version=Version("v9"), repository=repository, actor="ci", **more)
        return dry_run(ReleaseOptions(artifact=asked), harness.settings, harness.ports()).plan

    @pytest.fixture
    def saved(self, harness, path, repository):
        save(path, self.plan(harness, repository), asked=ASKED, settings=harness.settings)
        return load(path, harness.settings)

    def test_it_is_the_same_bundle_wherever_the_repository_has_gone(self, harness, saved, repository):
        (repository / "appspec.yml").write_text("something else altogether")
        commit(repository)
        asked = saved.artifact_request(repository=repository, actor="you")
        assert asked.ref == saved.plan.artifacts[0].manifest.commit
        with resolve_artifact(asked, harness.settings, harness.ports()) as found:
            saved.require_unchanged(saved.plan.with_artifact(found.publish(harness.artifacts)))

    def test_lint_errors_that_the_dry_run_ignored_are_ignored_again(self, harness, path, repository):
        (repository / "appspec.yml").write_text("version: 0.0\nos: Linux\n")
        commit(repository)
        plan = self.plan(harness, repository, lint=LintMode.WARN)
        save(path, plan, asked=ASKED, settings=harness.settings)
        asked = load(path, harness.settings).artifact_request(repository=repository, actor="you")
        with resolve_artifact(asked, harness.settings, harness.ports()) as found:
            assert found.artifact.manifest.lint_errors == plan.artifacts[0].manifest.lint_errors
        assert "os 'Linux'" in found.artifact.manifest.lint_errors[0]

    def test_published_meanwhile_from_that_commit_it_needs_no_repository(self, harness, saved, repository):
        with resolve_artifact(
            saved.artifact_request(repository=repository, actor="you"), harness.settings, harness.ports()
        ) as found:
            found.publish(harness.artifacts)
        asked = saved.artifact_request(repository=Path("/"), actor="you")
        with resolve_artifact(asked, harness.settings, harness.ports()) as found:
            saved.require_unchanged(saved.plan.with_artifact(found.artifact))

    def test_published_meanwhile_from_another_commit_it_is_refused(self, harness, saved, repository):
        commit(repository)
        other = ArtifactRequest(version=Version("v9"), repository=repository, actor="you")
        with resolve_artifact(other, harness.settings, harness.ports()) as found:
            found.publish(harness.artifacts)
        asked = saved.artifact_request(repository=repository, actor="you")
        with pytest.raises(VersionTaken), resolve_artifact(asked, harness.settings, harness.ports()):
            pass

    def test_built_otherwise_it_is_refused_by_its_digest(self, harness, saved, repository):
        settings = replace(harness.settings, build=replace(harness.settings.build, exclude=("*.md",)))
        (repository / "README.md").write_text("x")
        asked = saved.artifact_request(repository=repository, actor="you")
        settings = replace(settings, build=replace(settings.build, command="echo more > more.txt"))
        with (
            resolve_artifact(asked, settings, harness.ports()) as found,
            pytest.raises(PlanChanged) as refused,
        ):
            saved.require_unchanged(saved.plan.with_artifact(found.artifact))
        assert "the bundle of v9 changed" in refused.value.message

    def test_a_plan_of_uncommitted_files_is_not_saved(self, harness, path, repository):
        (repository / "new.txt").write_text("x")
        plan = self.plan(harness, repository, allow_dirty=True)
        with pytest.raises(PlanNotRepeatable, match="uncommitted files") as refused:
            save(path, plan, asked=ASKED, settings=harness.settings)
        assert "deployctl push v9 --dirty" in refused.value.remedy
        assert not path.exists()

    def test_a_commit_is_named_whole(self, saved, repository):
        assert saved.plan.artifacts[0].manifest.commit == git(repository, "rev-parse", "HEAD")


def test_a_rollback_is_not_saved(harness, path):
    with pytest.raises(PlanNotRepeatable):
        save(
            path, replace(planned(harness), kind=ReleaseKind.ROLLBACK), asked=ASKED, settings=harness.settings
        )


# Files that no dry run wrote.


def forge(path: Path, change, *, sign: bool = True) -> None:
    """Change the file and sign it, as an attacker does."""
    fields = json.loads(path.read_text())
    fields.pop("digest")
    change(fields)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest() if sign else "0" * 64
    path.write_text(json.dumps({**fields, "digest": digest}))


def test_laid_out_otherwise_it_is_the_same(harness, saved, path):
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert load(path, harness.settings).plan == saved.plan


@pytest.mark.parametrize(
    "edit",
    [
        ('"strategy"', '"strategie"'),
        ('"percent": 25', '"percent": 100'),
        ('"redeploy": true', '"redeploy": false'),
        ('"v1"', '"v0"'),
    ],
)
def test_edited_by_hand_it_is_refused(harness, saved, path, edit):
    before = path.read_text()
    path.write_text(before.replace(*edit))
    assert path.read_text() != before
    with pytest.raises(PlanFileEdited, match="was edited after the dry run"):
        load(path, harness.settings)


def test_without_its_digest_it_is_refused(harness, saved, path):
    fields = json.loads(path.read_text())
    del fields["digest"]
    path.write_text(json.dumps(fields))
    with pytest.raises(PlanFileEdited):
        load(path, harness.settings)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("application", {"application": "blog"}),
        ("region", {"region": "us-east-1"}),
        ("bucket", {"bucket": "another-bucket"}),
    ],
)
def test_of_another_application_or_account_it_is_refused_by_name(harness, saved, path, what, changes):
    with pytest.raises(PlanFileForeign, match=what) as refused:
        load(path, replace(harness.settings, **changes))
    assert next(iter(changes.values())) in refused.value.message


@pytest.mark.parametrize("schema", ["deployctl.plan-file/2", "deployctl.plan-file/10"])
def test_of_a_newer_schema_it_is_refused_as_newer(harness, saved, path, schema):
    forge(path, lambda fields: fields.update(schema=schema, plan="in a way that is not known yet"))
    with pytest.raises(PlanFileNewer, match="newer"):
        load(path, harness.settings)


@pytest.mark.parametrize("schema", ["deployctl.plan/1", "deployctl.plan-file/x", "", None, 7, "x" * 10_000])
def test_of_another_schema_it_is_refused_as_no_plan(harness, saved, path, schema):
    forge(path, lambda fields: fields.update(schema=schema))
    with pytest.raises(PlanFileUnreadable, match="schema") as refused:
        load(path, harness.settings)
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
def test_what_no_dry_run_writes_is_refused_even_with_its_digest(harness, saved, path, change):
    forge(path, change)
    with pytest.raises(PlanFileUnreadable) as refused:
        load(path, harness.settings)
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
def test_whatever_the_file_holds_it_is_refused_in_a_sentence(harness, path, name):
    path.write_bytes(HOSTILE[name])
    with pytest.raises(PlanFileUnreadable) as refused:
        load(path, harness.settings)
    assert refused.value.noun == str(path)
    assert len(refused.value.message) < 500


def test_a_file_that_is_far_too_large_is_not_read_to_its_end(harness, path):
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 1_000)
    with pytest.raises(PlanFileUnreadable, match="larger than 32 MiB"):
        load(path, harness.settings)


def test_what_is_no_file_is_refused_and_not_waited_for(harness, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "missing"):
        with pytest.raises(PlanFileUnreadable):
            load(place, harness.settings)


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


DESK = ReleaseHarness({}, on_v1=False)


def test_a_plan_that_is_saved_while_another_reads_it_is_whole(harness, path):
    plans = [planned(harness, "v2"), planned(harness, "v3")]
    save(path, plans[0], asked=ASKED, settings=harness.settings)
    over = threading.Event()

    def write():
        while not over.is_set():
            for plan in plans:
                save(path, plan, asked=ASKED, settings=harness.settings)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            assert load(path, harness.settings).plan in plans
    finally:
        over.set()
        writer.join()

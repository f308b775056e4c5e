"""From the fleet and the state to what a release will do with each group."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.errors import ExitCode
from deployctl.model.deployment import Revision
from deployctl.model.fleet import TAG_VERSION, Fleet, Group, Instance
from deployctl.model.release import (
    ApplicationState,
    DesiredState,
    GroupAction,
    GroupIntent,
    ReleaseIntent,
    ReleaseKind,
)
from deployctl.model.strategy import Policy, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.release import (
    ApplicationWithoutGroups,
    Baseline,
    Downgrade,
    GroupRules,
    GroupWithoutAsg,
    NoGroupMatches,
    ReleaseRequest,
    TooManyInstances,
    configs_needed,
    desired_state,
    plan_release,
    select_groups,
)
from tests.fakes.artifacts import made_up_artifact

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)
BUCKET = "bundles"


def artifact(version="v2"):
    return replace(made_up_artifact("shop", version, sequence=2), bucket=BUCKET)


def worker(number, *, group="video", version="v1", lifecycle="InService", state="running"):
    return Instance(
        instance_id=f"i-{number:03}",
        asg=f"asg-{group}",
        state=state,
        lifecycle_state=lifecycle,
        launched_at=BEFORE,
        tags={TAG_VERSION: version} if version else {},
    )


def fleet(*instances, groups=None):
    named = groups or [Group(name="video", asgs=("asg-video",))]
    return Fleet(application="shop", at=NOW, groups=tuple(named), instances=instances)


def desired(version="v1", verdict=Verdict.VERIFIED, release="r-1", **more):
    fields = {"sequence": 1, "since": BEFORE, "previous_verified": None, **more}
    return DesiredState(version=version, verdict=verdict, release=release, **fields)


def state(**groups):
    return ApplicationState(application="shop", groups=groups)


def plan(seen, known=None, *, strategy="all", version="v2", unfinished=None, **asked):
    request = ReleaseRequest(release_id="r-new", artifact=artifact(version), actor="ci", **asked)
    return plan_release(
        request,
        fleet=seen,
        state=known or state(),
        rules_of=lambda _: GroupRules(strategy=parse_strategy(strategy)),
        now=NOW,
        unfinished=unfinished,
    )


def intent(*groups, release="r-old", version="v2"):
    wanted = [GroupIntent(group=g, version=version, strategy=parse_strategy("all")) for g in groups]
    return ReleaseIntent(
        release_id=release,
        kind=ReleaseKind.RELEASE,
        application="shop",
        version=version,
        actor="ci",
        began_at=BEFORE,
        policy=Policy(),
        waves=(tuple(wanted),),
    )


def only(planned):
    (group,) = planned.groups
    return group


def test_a_group_with_workers_in_service_is_deployed_to():
    assert only(plan(fleet(worker(1)))).step is GroupAction.DEPLOY


def test_a_group_without_workers_is_empty():
    assert only(plan(fleet())).step is GroupAction.EMPTY


@pytest.mark.parametrize("lifecycle", ["Pending", "Pending:Wait", "Standby", "Terminating:Wait", None])
def test_a_group_with_nothing_in_service_is_empty(lifecycle):
    assert only(plan(fleet(worker(1, lifecycle=lifecycle)))).step is GroupAction.EMPTY


def test_a_terminated_worker_is_not_in_the_plan():
    assert only(plan(fleet(worker(1, state="terminated")))).step is GroupAction.EMPTY


def test_the_plan_has_each_living_worker_with_its_tag():
    planned = only(plan(fleet(worker(2), worker(1, version=None), worker(3, state="shutting-down"))))
    assert [(w.instance_id, w.version) for w in planned.workers] == [("i-001", None), ("i-002", "v1")]
    assert planned.versions_now == {"untagged": 1, "v1": 1}


def test_the_configuration_counts_only_the_workers_in_service():
    seen = fleet(*(worker(n) for n in range(3)), *(worker(n, lifecycle="Standby") for n in range(3, 9)))
    assert only(plan(seen, strategy="25%")).config.name == "CodeDeployDefault.OneAtATime"


def test_groups_come_in_the_order_of_their_names():
    groups = [Group(name=n, asgs=(f"asg-{n}",)) for n in ("b", "c", "a")]
    assert [g.group for g in plan(fleet(groups=groups)).groups] == ["a", "b", "c"]


def test_a_group_with_the_version_verified_is_done():
    planned = only(plan(fleet(worker(1, version="v2")), state(video=desired("v2", deployment_id="d-1"))))
    assert (planned.step, planned.known_verdict, planned.recorded_deployment) == (
        GroupAction.DONE,
        Verdict.VERIFIED,
        "d-1",
    )


@pytest.mark.parametrize(
    ("late", "step"),
    [
        ({"version": "v1"}, GroupAction.DEPLOY),
        ({"version": None}, GroupAction.DEPLOY),
        ({"version": None, "lifecycle": "Pending:Wait"}, GroupAction.DONE),
        ({"version": "v1", "lifecycle": "Standby"}, GroupAction.DONE),
    ],
)
def test_a_verified_group_is_done_unless_a_worker_in_service_runs_another_version(late, step):
    seen = fleet(worker(1, version="v2"), worker(2, **late))
    assert only(plan(seen, state(video=desired("v2")))).step is step


@pytest.mark.parametrize(
    ("key", "step"),
    [
        ("v2/bundle.tar.gz", GroupAction.DONE),
        ("v1/bundle.tar.gz", GroupAction.DEPLOY),
        ("", GroupAction.DEPLOY),
    ],
)
def test_a_verified_group_is_done_unless_codedeploy_deployed_another_revision_since(key, step):
    """Whatever the tags say: the other bundle may have no hook that writes them."""
    last = Revision(bucket=BUCKET, key=f"artifacts/shop/{key}", etag=None)
    group = Group(name="video", asgs=("asg-video",), last_successful=last)
    seen = fleet(worker(1, version="v2"), groups=[group])
    assert only(plan(seen, state(video=desired("v2")))).step is step


def test_redeploy_deploys_again_to_a_verified_group():
    seen = fleet(worker(1, version="v2"))
    assert only(plan(seen, state(video=desired("v2")), redeploy=True)).step is GroupAction.DEPLOY


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.STOPPED, Verdict.PARTIAL, Verdict.UNKNOWN])
def test_a_group_whose_last_release_of_the_version_failed_is_deployed_again(verdict):
    planned = plan(fleet(worker(1)), state(video=desired("v2", verdict)))
    assert (only(planned).step, planned.release_id, planned.resumes) == (GroupAction.DEPLOY, "r-new", False)


def test_a_group_that_was_empty_and_has_workers_now_is_deployed_to():
    assert only(plan(fleet(worker(1)), state(video=desired("v2", Verdict.EMPTY)))).step is GroupAction.DEPLOY


def test_a_group_that_is_still_empty_is_done():
    assert only(plan(fleet(), state(video=desired("v2", Verdict.EMPTY)))).step is GroupAction.DONE


def test_a_running_release_is_resumed():
    known = state(video=desired("v2", Verdict.RUNNING, "r-old", deployment_id="d-1"))
    planned = plan(fleet(worker(1)), known, unfinished=intent("video"))
    assert (planned.release_id, planned.resumes, planned.began_at) == ("r-old", True, BEFORE)


TWO = [Group(name="audio", asgs=("asg-audio",)), Group(name="video", asgs=("asg-video",))]


def test_a_resumed_release_leaves_its_finished_groups_unchanged():
    known = state(audio=desired("v2", Verdict.FAILED, "r-old"), video=desired("v2", Verdict.RUNNING, "r-old"))
    seen = fleet(worker(1), worker(2, group="audio"), groups=TWO)
    planned = plan(seen, known, unfinished=intent("audio", "video"))
    assert [(g.group, g.step) for g in planned.groups] == [
        ("audio", GroupAction.DONE),
        ("video", GroupAction.DEPLOY),
    ]


def test_a_resumed_release_deploys_to_an_empty_group_that_has_workers_now():
    known = state(audio=desired("v2", Verdict.EMPTY, "r-old"), video=desired("v2", Verdict.RUNNING, "r-old"))
    seen = fleet(worker(1), worker(2, group="audio"), groups=TWO)
    planned = plan(seen, known, unfinished=intent("audio", "video"))
    assert {g.step for g in planned.groups} == {GroupAction.DEPLOY}


def test_a_resumed_release_keeps_its_groups_and_adds_the_requested_ones():
    seen = fleet(worker(1), worker(2, group="audio"), groups=TWO)
    planned = plan(seen, unfinished=intent("video"), globs=("audio",))
    assert [[g.group for g in wave] for wave in planned.waves] == [["video"], ["audio"]]


def test_an_active_deployment_is_watched_even_without_workers_in_service():
    known = state(video=desired("v2", Verdict.RUNNING, "r-old", deployment_id="d-1"))
    seen = fleet(worker(1, lifecycle="Pending"))
    assert only(plan(seen, known, unfinished=intent("video"))).step is GroupAction.DEPLOY


def waves(planned):
    return [[g.group for g in wave] for wave in planned.waves]


def named(*names):
    groups = [Group(name=n, asgs=(f"asg-{n}",)) for n in names]
    return fleet(*(worker(i, group=n) for i, n in enumerate(names)), groups=groups)


def plan_in_waves(seen, numbers, **asked):
    request = ReleaseRequest(release_id="r-new", artifact=artifact(), actor="ci", **asked)

    def rules_of(group):
        return GroupRules(strategy=parse_strategy("all"), wave=numbers.get(group.name, 0))

    return plan_release(request, fleet=seen, state=state(), rules_of=rules_of, now=NOW)


def test_groups_are_released_in_one_wave_by_default():
    assert waves(plan_in_waves(named("a", "b", "c"), {})) == [["a", "b", "c"]]


def test_waves_come_in_the_order_of_their_numbers():
    assert waves(plan_in_waves(named("a", "b", "c", "d"), {"a": 7, "b": 2, "d": 2})) == [
        ["c"],
        ["b", "d"],
        ["a"],
    ]


def test_canaries_are_a_wave_before_all_others():
    planned = plan_in_waves(named("a", "b", "c"), {"c": 1}, canary=("c",))
    assert waves(planned) == [["c"], ["a", "b"]]


def test_a_canary_glob_that_matches_no_selected_group_is_refused():
    with pytest.raises(NoGroupMatches):
        plan_in_waves(named("a", "b"), {}, globs=("a",), canary=("b",))


def test_an_older_version_does_not_overtake_a_newer_one():
    known = state(video=desired("v3", Verdict.FAILED, sequence=3))
    with pytest.raises(Downgrade) as refused:
        plan(fleet(worker(1)), known)
    assert "rollback --to v2" in refused.value.remedy


@pytest.mark.parametrize(
    ("number", "said"), [(1, "which a should"), (2, "a and 1 other group"), (3, "a and 2 other groups")]
)
def test_the_downgrade_error_counts_the_groups_that_should_run_the_newer_version(number, said):
    names = "abc"[:number]
    known = state(**{n: desired("v3", Verdict.VERIFIED, sequence=3) for n in names})
    with pytest.raises(Downgrade) as refused:
        plan(named(*names), known)
    assert said in refused.value.message


def test_an_older_version_is_released_with_allow_downgrade():
    known = state(video=desired("v3", Verdict.VERIFIED, sequence=3))
    assert only(plan(fleet(worker(1)), known, allow_downgrade=True)).step is GroupAction.DEPLOY


def test_a_newer_version_in_unselected_groups_is_no_downgrade():
    known = state(audio=desired("v3", Verdict.VERIFIED, sequence=3))
    planned = plan(fleet(worker(1), groups=TWO), known, globs=("video",))
    assert [g.group for g in planned.groups] == ["video"]


def test_an_artifact_that_is_not_published_yet_will_be_the_newest():
    request = ReleaseRequest(
        release_id="r-new",
        artifact=replace(made_up_artifact("shop", "v2", sequence=0), bucket=BUCKET),
        actor="ci",
    )
    known = state(video=desired("v3", Verdict.VERIFIED, sequence=3))
    planned = plan_release(
        request,
        fleet=fleet(worker(1)),
        state=known,
        rules_of=lambda _: GroupRules(strategy=parse_strategy("all")),
        now=NOW,
    )
    assert only(planned).step is GroupAction.DEPLOY


@pytest.mark.parametrize(
    ("known", "previous"),
    [
        (desired("v1", Verdict.VERIFIED), "v1"),
        (desired("v1", Verdict.FAILED, previous_verified="v0"), "v0"),
        (desired("v2", Verdict.VERIFIED, previous_verified="v1"), "v1"),
        (desired("v2", Verdict.FAILED, previous_verified=None), None),
    ],
)
def test_the_rollback_target_is_the_last_other_verified_version(known, previous):
    assert only(plan(fleet(worker(1)), state(video=known))).previous_verified == previous


def baseline_group(key="artifacts/shop/v1/bundle.tar.gz", bucket=BUCKET):
    return Group(name="video", asgs=("asg-video",), last_successful=Revision(bucket=bucket, key=key))


def test_the_rollback_target_of_a_baseline_group_is_its_last_successful_version():
    assert only(plan(fleet(worker(1), groups=[baseline_group()]))).previous_verified == "v1"


def test_the_baseline_is_codedeploys_last_successful_revision_if_that_is_our_artifact():
    found = desired_state(baseline_group(), state(), application="shop", bucket=BUCKET)
    assert found == Baseline(version="v1")


@pytest.mark.parametrize(
    "group",
    [
        baseline_group(key="elsewhere/v1.zip"),
        baseline_group(bucket="another"),
        baseline_group(key="artifacts/other/v1/bundle.tar.gz"),
        Group(name="video", asgs=("asg-video",)),
    ],
)
def test_a_group_with_any_other_revision_is_not_managed(group):
    assert desired_state(group, state(), application="shop", bucket=BUCKET) is None


def test_the_state_overrides_the_baseline():
    known = desired("v7")
    assert desired_state(baseline_group(), state(video=known), application="shop", bucket=BUCKET) == known


def test_an_application_without_groups_is_refused():
    with pytest.raises(ApplicationWithoutGroups) as refused:
        plan(replace(fleet(), groups=()))
    assert (refused.value.noun, refused.value.exit_code) == ("shop", ExitCode.USAGE)


def test_a_glob_that_matches_nothing_is_refused_with_the_nearest_name():
    with pytest.raises(NoGroupMatches) as refused:
        plan(fleet(), globs=("vidoe",))
    assert refused.value.remedy == "did you mean video?"


def test_one_glob_that_matches_nothing_is_enough_to_refuse():
    with pytest.raises(NoGroupMatches):
        plan(fleet(), globs=("video", "nothing-*"))


def test_a_group_without_an_auto_scaling_group_is_refused():
    with pytest.raises(GroupWithoutAsg) as refused:
        plan(fleet(groups=[Group(name="video", asgs=())]))
    assert refused.value.noun == "video"


def test_an_unselected_group_without_an_auto_scaling_group_is_ignored():
    groups = [Group(name="audio", asgs=()), Group(name="video", asgs=("asg-video",))]
    assert only(plan(fleet(worker(1), groups=groups), globs=("video",))).group == "video"


def test_a_group_of_1000_is_deployed_to_and_one_of_1001_refused():
    assert only(plan(fleet(*(worker(n) for n in range(1_000))))).step is GroupAction.DEPLOY
    with pytest.raises(TooManyInstances) as refused:
        plan(fleet(*(worker(n) for n in range(1_001))))
    assert "1,001 instances" in refused.value.message


def test_configurations_are_needed_once_each_and_codedeploys_own_never():
    groups = [Group(name=n, asgs=(f"asg-{n}",)) for n in ("a", "b")]
    seen = fleet(*(worker(n, group=g) for n, g in enumerate("ab" * 8)), groups=groups)
    assert [c.name for c in configs_needed(plan(seen, strategy="25%").groups)] == [
        "deployctl-fleet-percent-75"
    ]
    assert configs_needed(plan(seen, strategy="half").groups) == ()


NAMES = st.lists(st.text("abc-", min_size=1, max_size=4), min_size=1, unique=True)


@given(NAMES, st.lists(st.text("abc-*", min_size=1, max_size=3), max_size=3))
def test_globs_choose_among_the_groups_or_are_refused(names, globs):
    try:
        chosen = select_groups(names, globs, application="shop")
    except NoGroupMatches:
        assert globs
        return
    assert chosen <= set(names)
    assert chosen


VERDICTS = st.sampled_from(Verdict)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["v1", "v2", None]), VERDICTS), min_size=1, max_size=5),
    st.booleans(),
)
def test_every_group_is_planned_exactly_once_and_done_only_if_its_verdict_is_acceptable(groups, redeploy):
    named = [Group(name=f"g{n}", asgs=(f"asg-g{n}",)) for n in range(len(groups))]
    seen = fleet(*(worker(n, group=f"g{n}") for n, g in enumerate(groups) if g[0]), groups=named)
    known = state(**{f"g{n}": desired(v, verdict) for n, (_, v, verdict) in enumerate(groups) if v})
    planned = plan(seen, known, redeploy=redeploy)
    assert [g.group for g in planned.groups] == [g.name for g in named]
    for group in planned.groups:
        if group.step is GroupAction.DONE:
            assert known.groups[group.group].version == "v2"
            assert known.groups[group.group].verdict is group.known_verdict
            assert group.known_verdict.is_over

"""What makes a saved plan void, in words; and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.release import GroupAction, SeenWorker
from deployctl.model.strategy import Budget, DeploymentConfig, Policy, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.plan_diff import diff_plans
from tests.fakes.artifacts import made_up_artifact
from tests.unit.plan.test_eta import NOON, group, plan


def workers(*seen):
    """`i-1:v1` is a worker on v1, `i-1` one on no version."""
    parts = [text.partition(":") for text in seen]
    return tuple(SeenWorker(instance_id=i, version=version or None) for i, _, version in parts)


def video(**changes):
    made = replace(group("video"), workers=workers("i-1:v1", "i-2:v1"), desired_before="v1")
    return replace(made, **changes)


def between(now, was=None):
    return diff_plans(plan([was or video()]), plan([now]))


def test_the_same_plan_has_not_changed():
    assert between(video()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"release_id": "r-2"},
        {"planned_at": NOON + timedelta(hours=1), "began_at": NOON + timedelta(hours=1)},
        {"actor": "you"},
    ],
)
def test_times_ids_and_actors_are_no_changes(changes):
    saved = plan([video()])
    assert diff_plans(saved, replace(saved, **changes)) == []


def test_publishing_the_same_bundle_is_no_change():
    unpublished = video(artifact=replace(made_up_artifact("shop", "v2", sequence=0), etag=""))
    published = video(artifact=made_up_artifact("shop", "v2", sequence=7))
    assert between(published, unpublished) == []


def test_another_bundle_under_the_same_name_is_named_once():
    other = made_up_artifact("shop", "v2", digest="e" * 64, commit="abcdef0123456789")
    saved = plan([video(), group("mail")])
    fresh = plan([video(artifact=other), replace(group("mail"), artifact=other)])
    assert diff_plans(saved, fresh) == [
        (
            "the bundle of v2 changed: sha256 eeeeeeeeeeee from commit abcdef012345,"
            " it was dddddddddddd from 9f3c1d2"
        )
    ]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (
            video(asgs=("asg-video", "asg-more")),
            "video has Auto Scaling groups asg-video, asg-more, it had asg-video",
        ),
        (video(step=GroupAction.DONE), "video is done already, it was to be deployed"),
        (video(step=GroupAction.EMPTY), "video is without workers in service, it was to be deployed"),
        (video(strategy=parse_strategy("25%")), "video: its strategy is 25%, it was half"),
        (
            video(config=DeploymentConfig(name="CodeDeployDefault.OneAtATime")),
            (
                "video: its deployment configuration is CodeDeployDefault.OneAtATime,"
                " it was CodeDeployDefault.HalfAtATime"
            ),
        ),
        (video(max_failed=Budget(2)), "video: its failure budget is 2, it was 0"),
        (video(desired_before="v7"), "video: its desired version is v7, it was v1"),
        (video(desired_before=None), "video: its desired version is none, it was v1"),
        (video(previous_verified="v0"), "video: its rollback target is v0, it was v1"),
        (video(known_verdict=Verdict.FAILED), "video: its verdict is failed, it was none"),
        (
            video(auto_updates_new_instances=False),
            "video: CodeDeploy no longer deploys to workers launched during the deployment",
        ),
        (video(workers=workers("i-1:v1", "i-2:v1", "i-3")), "video gained i-3"),
        (video(workers=workers("i-2:v1")), "video lost i-1"),
        (video(workers=workers("i-1:v7", "i-2:v7")), "video: i-1, i-2 on v7 now, on v1 before"),
        (video(workers=workers("i-1", "i-2:v1")), "video: i-1 on no version now, on v1 before"),
    ],
)
def test_each_change_of_a_group_is_named(now, words):
    assert between(now) == [words]


def test_a_worker_that_was_replaced_is_lost_and_gained():
    assert between(video(workers=workers("i-1:v1", "i-9"))) == ["video gained i-9", "video lost i-2"]


def test_many_workers_are_counted():
    now = video(workers=workers("i-1:v1", "i-2:v1", *(f"i-x{n}" for n in range(7))))
    assert between(now) == ["video gained i-x0, i-x1, i-x2, i-x3, i-x4 and 2 more"]


def test_added_and_removed_groups_are_named():
    saved, fresh = plan([group("audio"), group("video")]), plan([group("pdf"), group("video")])
    assert diff_plans(saved, fresh) == ["audio was removed", "pdf is new"]


def test_a_group_in_another_wave_is_named():
    saved, fresh = plan(["audio", "video"]), plan(["audio"], ["video"])
    assert diff_plans(saved, fresh) == ["video is in wave 2, it was in wave 1"]


def test_changes_of_the_release_come_first():
    saved = plan([video()])
    fresh = replace(plan([video(step=GroupAction.DONE)]), policy=Policy(bake_s=60), resumes=True)
    assert diff_plans(saved, fresh) == [
        "r-1 of v2 has started since",
        "the policy changed: on_failure, max_failed_total, bake, alarms, progress_deadline or suspend_scaling",
        "video is done already, it was to be deployed",
    ]


def test_a_plan_must_resume_the_release_in_progress():
    saved = replace(plan([video()]), resumes=True)
    assert diff_plans(saved, replace(saved, resumes=False)) == [
        "the plan resumes r-1 of v2, which has finished"
    ]
    assert diff_plans(saved, replace(saved, release_id="r-2")) == [
        "the plan resumes r-1, but r-2 is in progress"
    ]


NAMES = st.sampled_from(["audio", "mail", "pdf", "video"])
VERSIONS = st.none() | st.sampled_from(["v1", "v2", "v3"])


@st.composite
def groups(draw):
    return replace(
        group(draw(NAMES), draw(st.sampled_from(GroupAction))),
        strategy=parse_strategy(draw(st.sampled_from(["one", "half", "all", "25%"]))),
        workers=tuple(
            SeenWorker(instance_id=f"i-{n}", version=draw(VERSIONS)) for n in draw(st.sets(st.integers(0, 4)))
        ),
        desired_before=draw(VERSIONS),
        previous_verified=draw(VERSIONS),
        max_failed=Budget(draw(st.integers(0, 2)), is_percent=draw(st.booleans())),
    )


@st.composite
def plans(draw):
    made = {g.group: g for g in draw(st.lists(groups(), max_size=4))}
    waves = [[], []]
    for one in made.values():
        waves[draw(st.integers(0, 1))].append(one)
    return plan(*(wave for wave in waves if wave))


@given(plans(), plans())
def test_two_plans_are_the_same_exactly_if_nothing_is_named(one, other):
    assert (diff_plans(one, other) == []) is (
        {g.group: g for g in one.groups} == {g.group: g for g in other.groups}
        and [{g.group for g in w} for w in one.waves] == [{g.group for g in w} for w in other.waves]
    )


@given(plans(), plans())
def test_a_difference_is_found_in_both_directions(one, other):
    assert bool(diff_plans(one, other)) is bool(diff_plans(other, one))

"""Which artifacts may go, and above all which may not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.artifact import LeftoverKind, OrphanedBundle, Use, UseKind, bundle_key
from deployctl.model.deployment import Counts, Deployment, DeploymentStatus, Revision
from deployctl.model.fleet import TAG_VERSION, Fleet, Group, Instance
from deployctl.model.release import ApplicationState, DesiredState, ReleaseInProgress, ReleaseKind
from deployctl.model.verdict import Verdict
from deployctl.plan.prune import DAY_S, limit_to_approved, plan_prune, uses_of
from tests.fakes.artifacts import made_up_artifact

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BUCKET = "bundles"


def artifact(number):
    return made_up_artifact("shop", f"v{number}", sequence=number, size_bytes=number)


def revision(version, *, bucket=BUCKET, application="shop"):
    return Revision(bucket=bucket, key=bundle_key(application, version))


def group(name="video", **more):
    return Group(name=name, asgs=(f"asg-{name}",), **more)


def worker(version, *, name="video", state="running"):
    return Instance(
        instance_id=f"i-{name}-{version}",
        asg=f"asg-{name}",
        state=state,
        lifecycle_state="InService",
        launched_at=NOW,
        tags={TAG_VERSION: version} if version else {},
    )


def deployment(version, status=DeploymentStatus.IN_PROGRESS, name="video"):
    return Deployment(
        deployment_id="d-1",
        group=name,
        status=status,
        counts=Counts(),
        revision=revision(version),
        description="",
        creator="user",
        created_at=NOW,
    )


def desired(version, previous=None, verdict=Verdict.VERIFIED):
    return DesiredState(
        version=version, sequence=1, release="r-1", since=NOW, previous_verified=previous, verdict=verdict
    )


def uses(*groups, workers=(), deployments=(), in_progress=None, **wanted):
    return uses_of(
        Fleet(application="shop", at=NOW, groups=groups or (group(),), instances=tuple(workers)),
        state=ApplicationState(application="shop", groups=wanted, in_progress=in_progress),
        deployments=deployments,
        bucket=BUCKET,
    )


def versions(artifacts):
    return [a.manifest.version for a in artifacts]


@pytest.mark.parametrize(
    ("found", "needed"),
    [
        (uses(video=desired("v1")), {"v1": UseKind.DESIRED}),
        (uses(video=desired("v2", "v1")), {"v2": UseKind.DESIRED, "v1": UseKind.ROLLBACK_TARGET}),
        (
            uses(video=desired("v2", "v1", Verdict.FAILED)),
            {"v2": UseKind.DESIRED, "v1": UseKind.ROLLBACK_TARGET},
        ),
        (uses(group(last_successful=revision("v1"))), {"v1": UseKind.LAST_SUCCESSFUL}),
        (uses(group(last_successful=revision("v1", bucket="another"))), {}),
        (uses(group(last_successful=revision("v1", application="blog"))), {}),
        (uses(workers=[worker("v1")]), {"v1": UseKind.RUNNING}),
        (uses(workers=[worker("v1", state="terminated"), worker(None)]), {}),
        (uses(workers=[worker("v1", name="elsewhere")]), {}),
        (uses(deployments=[deployment("v1")]), {"v1": UseKind.DEPLOYING}),
        (uses(deployments=[deployment("v1", DeploymentStatus.SUCCEEDED)]), {}),
    ],
)
def test_each_use_of_a_version_is_a_reason_to_keep_it(found, needed):
    assert {version: [u.kind for u in those] for version, those in found.items()} == {
        version: [kind] for version, kind in needed.items()
    }


def test_a_release_in_progress_needs_its_version():
    in_progress = ReleaseInProgress(
        release="r-1", version="v1", kind=ReleaseKind.RELEASE, actor="ci", began_at=NOW
    )
    assert uses(in_progress=in_progress) == {"v1": (Use(kind=UseKind.IN_PROGRESS),)}


def test_the_strongest_reason_comes_first_and_each_once():
    found = uses(
        group(last_successful=revision("v1")),
        workers=[worker("v1"), worker("v1")],
        video=desired("v1", "v1"),
    )
    assert [u.kind for u in found["v1"]] == [
        UseKind.DESIRED,
        UseKind.LAST_SUCCESSFUL,
        UseKind.ROLLBACK_TARGET,
        UseKind.RUNNING,
    ]


def test_the_oldest_are_removed_first_and_the_newest_stay():
    plan = plan_prune([artifact(n) for n in (3, 1, 4, 2)], [], {}, keep=2)
    assert versions(plan.remove) == ["v1", "v2"]
    assert versions(plan.stay) == ["v4", "v3"]
    assert plan.freed_bytes == 1 + 2


def test_artifacts_in_use_stay_besides_the_newest():
    plan = plan_prune([artifact(n) for n in range(1, 6)], [], uses(video=desired("v1", "v4")), keep=2)
    assert versions(plan.remove) == ["v2", "v3"]
    assert versions(plan.in_use) == ["v1"]


def leftover(version="v9", kind=LeftoverKind.UNPUBLISHED, age_s=DAY_S + 1):
    return OrphanedBundle(application="shop", version=version, kind=kind, size_bytes=7, age_s=age_s)


@pytest.mark.parametrize(
    ("left", "goes"),
    [
        (leftover(), True),
        (leftover(age_s=DAY_S - 1), False),
        (leftover(kind=LeftoverKind.HALF_REMOVED, age_s=3_601), True),
        (leftover(kind=LeftoverKind.HALF_REMOVED, age_s=3_599), False),
    ],
)
def test_a_leftover_is_removed_once_no_process_can_finish_it(left, goes):
    assert (plan_prune([], [left], {}, keep=1).leftovers == (left,)) is goes


def test_a_bundle_that_codedeploy_would_still_fetch_stays_even_without_its_manifest():
    needed = uses(group(last_successful=revision("v9")))
    assert plan_prune([], [leftover()], needed, keep=1).removes_nothing


def test_an_artifact_that_came_into_use_after_the_approval_stays():
    every = [artifact(n) for n in range(1, 5)]
    agreed = plan_prune(every, [leftover()], {}, keep=1)
    now = plan_prune(every, [leftover()], uses(video=desired("v2"), mail=desired("v9")), keep=1)
    left = limit_to_approved(agreed, now)
    assert versions(left.remove) == ["v1", "v3"]
    assert left.leftovers == ()


def test_only_approved_artifacts_are_removed():
    agreed = plan_prune([artifact(n) for n in range(1, 4)], [], {}, keep=1)
    now = plan_prune([artifact(n) for n in range(1, 6)], [leftover()], {}, keep=1)
    left = limit_to_approved(agreed, now)
    assert versions(left.remove) == ["v1", "v2"]
    assert left.leftovers == ()


NUMBERS = st.integers(1, 12)
VERSIONS = NUMBERS.map(lambda n: f"v{n}")
NAMES = st.sampled_from(["audio", "mail", "pdf", "video"])


@st.composite
def fleets(draw):
    """Groups with whatever they were last deployed, are to run, would go back to, run and are being deployed."""
    maybe = st.none() | VERSIONS
    wanted, groups, workers, deployments, needed = {}, [], [], [], set()
    for name in draw(st.sets(NAMES)):
        last, running, deploying = draw(maybe), draw(maybe), draw(maybe)
        groups.append(group(name, last_successful=revision(last) if last else None))
        workers += [worker(running, name=name)] if running else []
        deployments += [deployment(deploying, name=name)] if deploying else []
        needed |= {last, running, deploying}
        if draw(st.booleans()):
            wanted[name] = desired(draw(VERSIONS), draw(maybe), draw(st.sampled_from(Verdict)))
            needed |= {wanted[name].version, wanted[name].previous_verified}
    found = uses_of(
        Fleet(application="shop", at=NOW, groups=tuple(groups), instances=tuple(workers)),
        state=ApplicationState(application="shop", groups=wanted),
        deployments=deployments,
        bucket=BUCKET,
    )
    return found, needed - {None}


@given(st.sets(NUMBERS), fleets(), st.integers(1, 15))
def test_any_prune_keeps_the_newest_and_every_artifact_in_use(numbers, fleet, keep):
    every = [artifact(n) for n in numbers]
    found, needed = fleet
    plan = plan_prune(every, [], found, keep=keep)
    gone = set(versions(plan.remove))
    assert not gone & needed
    assert not gone & {f"v{n}" for n in sorted(numbers)[-keep:]}
    # And all that may go does.
    assert gone == {f"v{n}" for n in sorted(numbers)[:-keep]} - needed
    assert sorted([*plan.remove, *plan.stay], key=lambda a: a.manifest.sequence) == sorted(
        every, key=lambda a: a.manifest.sequence
    )


@given(st.sets(NUMBERS), fleets(), st.integers(1, 15))
def test_keeping_more_never_removes_more(numbers, fleet, keep):
    every = [artifact(n) for n in numbers]
    less = plan_prune(every, [], fleet[0], keep=keep)
    more = plan_prune(every, [], fleet[0], keep=keep + 1)
    assert set(versions(more.remove)) <= set(versions(less.remove))


@given(st.sets(NUMBERS), fleets(), st.integers(1, 15))
def test_a_second_prune_has_nothing_to_do(numbers, fleet, keep):
    first = plan_prune([artifact(n) for n in numbers], [], fleet[0], keep=keep)
    assert plan_prune(first.stay, [], fleet[0], keep=keep).removes_nothing

"""The story of a worker and of a group: what is asked, what is found, and that it agrees with a reconciliation."""

from __future__ import annotations

import re

import pytest

from deployctl.flows.explain import InstanceNotInApplication, UnknownWorkerOrGroup
from deployctl.model.cause import Category, Cause
from deployctl.model.deployment import TargetStatus
from deployctl.model.release import ReleaseKind
from deployctl.model.verdict import Verdict
from deployctl.report.explain import explain_json, explain_lines
from deployctl.report.style import UNICODE
from deployctl.report.timeline import group_timeline, worker_timeline
from tests.fakes.injected_fleets import inject_each
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.remote_holder import RemoteHolder


@pytest.fixture
def harness():
    harness = ReleaseHarness({"audio": 3, "video": 4}, strategies={"video": "one"})
    first = harness.cloud.instance_ids("video")[0]
    harness.cloud.inject("hook-fails", instance=first, exit_code=3, message="no database")
    harness.release()
    return harness


def words_of(moments):
    return [f"{m.source}: {m.what}" for m in moments]


def test_a_failed_worker_has_its_deployments_with_their_events(harness):
    story = harness.explain(harness.cloud.instance_ids("video")[0])
    assert [(a.version, a.target.status) for a in story.attempts] == [
        ("v1", TargetStatus.SUCCEEDED),
        ("v2", TargetStatus.FAILED),
    ]
    assert story.last.target.failed_or_last_event.name == "ValidateService"
    assert (story.judged.category, story.judged.cause) == (Category.FAILED, Cause.SCRIPT_FAILED)
    assert "exit code 3" in story.judged.evidence
    assert story.judged.remedy.startswith("deployctl rollback --to v1 --group video")


def test_its_moments_are_in_order_of_time_and_say_who_says_so(harness):
    moments = worker_timeline(harness.explain(harness.cloud.instance_ids("video")[0]))
    assert [m.at for m in moments] == sorted(m.at for m in moments)
    words = words_of(moments)
    assert words[0] == "EC2: launched as a spot instance in asg-video"
    assert any(w.startswith("CodeDeploy: v1 by user") for w in words)
    assert any(w.startswith("tags: v1 for video deployed") for w in words)
    assert any("release" in w and "of v2 started by ci" in w for w in words)
    bad = [m for m in moments if m.is_bad]
    assert any("[stderr]no database" in line for m in bad for line in m.details)


def test_a_skipped_worker_says_how_the_deployment_ended(harness):
    story = harness.explain(harness.cloud.instance_ids("video")[2])
    assert story.judged.cause is Cause.SKIPPED_STOPPED_EARLY
    assert any(
        "Skipped; the deployment Failed (HEALTH_CONSTRAINTS)" in w for w in words_of(worker_timeline(story))
    )


def test_a_current_worker_has_nothing_to_fix(harness):
    story = harness.explain(harness.cloud.instance_ids("audio")[0])
    assert story.judged.category is Category.CURRENT
    assert story.judged.remedy is None


def test_a_worker_launched_after_has_its_scaling_activity_and_its_launch_time_deployment(harness):
    harness.cloud.scale("audio", +1)
    harness.cloud.clock.sleep(300)
    story = harness.explain(harness.cloud.instance_ids("audio")[-1])
    assert [a.description.split(":")[0] for a in story.activities] == ["Launching a new EC2 instance"]
    assert [(a.deployment.creator, a.version) for a in story.attempts] == [("autoscaling", "v2")]
    # The launch-time deployments of others are not asked about.
    assert [p.version for p in story.passages] == ["v2"]


def test_a_detached_worker_is_found_by_its_tag(harness):
    worker = harness.cloud.instance_ids("audio")[1]
    harness.cloud.detach(worker)
    harness.cloud.clock.sleep(60)
    story = harness.explain(worker)
    assert (story.group.name, story.judged.cause) == ("audio", Cause.DETACHED)
    assert any("was detached" in d for m in worker_timeline(story) for d in m.details)


def test_a_terminated_worker_is_explained_while_ec2_describes_it(harness):
    worker = harness.cloud.instance_ids("audio")[1]
    harness.cloud.reclaim(worker)
    harness.cloud.clock.sleep(60)
    story = harness.explain(worker)
    assert story.judged is None
    assert story.instance.state_reason_code == "Server.SpotInstanceTermination"


def test_a_group_has_its_verdict_its_deployments_and_its_remedy(harness):
    story = harness.explain("video")
    assert (story.desired.version, story.desired.verdict) == ("v2", Verdict.FAILED)
    assert story.found.drifted == 4
    assert list(story.remedies.values()) == [4]
    assert any("v2 by r-" in w and "1 failed, 3 skipped" in w for w in words_of(group_timeline(story)))
    assert story.found.findings == ()


def test_a_group_is_found_by_its_auto_scaling_groups_name(harness):
    assert harness.explain("asg-video").group.name == "video"


def test_a_group_without_its_launch_hook_says_how_to_restore_it(harness):
    harness.cloud.fleet.groups["asg-audio"].hooks.clear()
    story = harness.explain("audio")
    (finding,) = story.found.findings
    assert (finding.cause, "asg-audio" in finding.evidence) == ("launch-hook-missing", True)
    out, back = finding.remedy.split(" && ")
    assert out.endswith("--current-deployment-group-name audio --auto-scaling-groups")
    assert back.endswith("--auto-scaling-groups asg-audio")
    assert finding.remedy in story.remedies


def test_a_rollback_is_part_of_a_groups_story(harness):
    harness.cloud.world.faults.remove()
    harness.rollback("video")
    kinds = [(p.kind, p.version, p.verdict) for p in harness.explain("video").passages]
    assert kinds == [
        (ReleaseKind.RELEASE, "v2", Verdict.FAILED),
        (ReleaseKind.ROLLBACK, "v1", Verdict.VERIFIED),
    ]


def test_a_release_that_never_came_to_the_group_is_part_of_its_story():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.rule("audio", wave=1)
    harness.rule("video", wave=2)
    harness.cloud.inject("hook-fails", group="audio")
    harness.release()
    (passage,) = harness.explain("video").passages
    assert passage.verdict is Verdict.NOT_STARTED
    assert any(
        "of v2: not-started in the group" in w for w in words_of(group_timeline(harness.explain("video")))
    )


def test_a_tag_that_was_edited_by_hand_is_not_the_releases_word():
    harness = ReleaseHarness({"video": 2})
    release = harness.release()
    first, second = harness.cloud.instance_ids("video")
    harness.cloud.tag([first], {"deployctl:version": "v1"})
    words = " ".join(words_of(worker_timeline(harness.explain(first))))
    assert "tagged by" not in words
    assert f"the release tag still names {release.release_id}" in words
    words = " ".join(words_of(worker_timeline(harness.explain(second))))
    assert f"tagged by {release.release_id}" in words


def test_the_description_of_a_foreign_deployment_is_shown():
    harness = ReleaseHarness({"video": 2})
    harness.release()
    harness.cloud.deploy("video", "v1", description="OPS-7: maria, back to v1")
    harness.cloud.clock.sleep(300)
    worker = harness.cloud.instance_ids("video")[0]
    for moments in (worker_timeline(harness.explain(worker)), group_timeline(harness.explain("video"))):
        details = [line for m in moments for line in m.details]
        assert "description: OPS-7: maria, back to v1" in details
        assert not any("description: deployctl" in line for line in details)


def test_a_repair_of_others_is_none_of_a_workers_story():
    harness = ReleaseHarness({"video": 3})
    harness.release()
    worker = harness.cloud.instance_ids("video")[0]
    harness.cloud.fleet.groups["asg-video"].hooks.clear()
    harness.cloud.scale("video", +2)
    harness.cloud.clock.sleep(300)
    harness.fix()
    story = harness.explain(worker)
    assert any(a.is_partial and a.target is None for a in story.attempts)
    assert not any("not among its targets" in words for words in words_of(worker_timeline(story)))


def test_releases_that_are_left_out_are_counted():
    harness = ReleaseHarness({"video": 2})
    for _ in range(6):
        harness.release(redeploy=True)
    assert len(harness.explain("video").passages) == 4
    for noun in ("video", harness.cloud.instance_ids("video")[0]):
        story = harness.explain(noun)
        lines = [line.plain for line in explain_lines(story, columns=80, glyphs=UNICODE)]
        assert "  … 2 earlier releases: see deployctl history" in lines
        assert explain_json(story)["omitted_releases"] == 2


def test_the_beginning_of_an_id_is_enough_where_it_is_one_workers(harness):
    worker = harness.cloud.instance_ids("audio")[0]
    assert harness.explain(worker[:9]).instance.instance_id == worker


def test_an_unknown_worker_names_the_nearest(harness):
    worker = harness.cloud.instance_ids("audio")[0]
    typo = worker[:-1] + ("0" if worker[-1] != "0" else "1")
    with pytest.raises(UnknownWorkerOrGroup) as caught:
        harness.explain(typo)
    assert caught.value.remedy == f"deployctl explain {worker}"
    assert caught.value.exit_code == 2


def test_one_that_ec2_has_forgotten_is_named_by_the_journal(harness):
    worker = harness.cloud.instance_ids("video")[0]
    harness.cloud.reclaim(worker)
    harness.cloud.clock.sleep(4_000)
    with pytest.raises(UnknownWorkerOrGroup) as caught:
        harness.explain(worker)
    assert any("it was a worker of video, failed: ValidateService" in d for d in caught.value.details)


@pytest.mark.parametrize(("noun", "near"), [("vidoe", "video"), ("vid", "video"), ("zzz", None)])
def test_an_unknown_group_names_the_nearest(harness, noun, near):
    with pytest.raises(UnknownWorkerOrGroup) as caught:
        harness.explain(noun)
    assert caught.value.remedy.startswith(f"deployctl explain {near}" if near else "deployctl reconcile")


def test_an_instance_of_another_application_is_not_ours(harness):
    with harness.cloud.world.lock:
        group = harness.cloud.fleet.create_group("elsewhere", desired=1, max_size=2)
        slot = harness.cloud.fleet.seed_member(group, harness.cloud.world.now())
    with pytest.raises(InstanceNotInApplication, match="in the Auto Scaling group elsewhere"):
        harness.explain(slot.instance.instance_id)


def test_only_what_concerns_the_worker_is_asked():
    harness = ReleaseHarness({f"queue-{n}": 6 for n in range(50)})
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("queue-7")[0])
    harness.release()
    harness.cloud.calls.clear()
    harness.explain(harness.cloud.instance_ids("queue-7")[0])
    assert harness.cloud.calls["ec2:DescribeInstances"] == 2
    assert harness.cloud.calls["codedeploy:ListDeployments"] == 1
    assert sum(harness.cloud.calls.values()) <= 20


def test_every_injected_worker_is_explained_as_it_is_reconciled():
    injected = inject_each(1)
    groups = sorted({w.group for w in injected.found.values()})
    for group in groups[::4]:
        for worker in injected.harness.explain(group).found.workers:
            found = injected.found.get(worker.instance_id)
            if found is not None:
                assert (worker.category, worker.cause) == (found.category, found.cause)
                assert worker.remedy == found.remedy


def test_a_group_names_the_worker_that_a_hook_keeps_deploying_with_its_event_and_age():
    harness = ReleaseHarness({"video": 3})
    elsewhere = RemoteHolder(harness, ["video"])
    elsewhere.take_lease()
    elsewhere.begin()
    stuck = harness.cloud.instance_ids("video")[0]
    harness.cloud.inject("hook-stuck", instance=stuck, event="ApplicationStart")
    elsewhere.start("video")
    harness.cloud.clock.sleep(22 * 60)
    story = harness.explain("video")
    (worker,) = [w for w in story.found.workers if w.category is Category.DEPLOYING]
    (line,) = [str(x) for x in explain_lines(story, columns=160, glyphs=UNICODE) if stuck in str(x)]
    assert worker.evidence in line
    assert re.search(
        r" InProgress with v2 at ApplicationStart since 2026-\d\d-\d\d \d\d:\d\d UTC \(2\d min\)", line
    )
    assert harness.reconcile()[stuck].evidence == worker.evidence

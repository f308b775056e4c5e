"""Made-up releases and fleets for the report's tests: `make.state(…)`, `make.outcome(…)`, `make.worker(…)`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from deployctl.execute.release_state import GroupState, Phase, ReleaseState
from deployctl.model.cause import Category, Cause
from deployctl.model.deployment import Counts, DeploymentStatus, LifecycleEvent, Target, TargetStatus
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import (
    ActiveDeployment,
    GroupAction,
    GroupOutcome,
    GroupPlan,
    ReleaseOutcome,
    ReleasePlan,
    SeenWorker,
    StopKind,
    StopRequest,
    WorkerOutcome,
)
from deployctl.model.strategy import DeploymentConfig, parse_strategy
from deployctl.model.verdict import Verdict, WorkerVerdict, worst
from tests.fakes.artifacts import made_up_artifact

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class MadeUp:
    now: datetime = NOON

    def at(self, seconds):
        return NOON + timedelta(seconds=seconds)

    def group_plan(
        self,
        name="video-transcode",
        workers=6,
        *,
        strategy="half",
        step=GroupAction.DEPLOY,
        seen="v122",
        version="v123",
    ):
        return GroupPlan(
            group=name,
            version=version,
            asgs=(f"{name}-asg",),
            step=step,
            strategy=parse_strategy(strategy),
            config=DeploymentConfig(name="CodeDeployDefault.HalfAtATime"),
            workers=tuple(SeenWorker(instance_id=f"i-{name}-{n}", version=seen) for n in range(workers)),
            auto_updates_new_instances=True,
            previous_verified="v122",
            artifact=made_up_artifact("shop", version, size_bytes=1_000, unpacked_bytes=5_000, file_count=12),
        )

    def plan(self, *waves, version="v123", **changes):
        return ReleasePlan(
            release_id="r-20261122-1200",
            application="shop",
            version=version,
            actor="ci",
            waves=tuple(tuple(wave) for wave in waves),
            planned_at=NOON,
            began_at=NOON,
            **changes,
        )

    def failed_target(
        self, instance_id="i-0bad", *, log="boom", script="hooks/start.sh", code="ScriptFailed"
    ):
        event = LifecycleEvent(
            name="ApplicationStart", status="Failed", error_code=code, script=script, log_tail=log
        )
        return Target(
            deployment_id="d-1",
            instance_id=instance_id,
            status=TargetStatus.FAILED,
            updated_at=NOON,
            events=(event,),
        )

    def interrupted_target(self, instance_id="i-0cut", *, status="Succeeded"):
        """Nothing failed on it: its deployment was stopped."""
        code, message = ("Success", "Succeeded") if status == "Succeeded" else (None, None)
        event = LifecycleEvent(name="AfterInstall", status=status, error_code=code, message=message)
        return Target(
            deployment_id="d-1",
            instance_id=instance_id,
            status=TargetStatus.FAILED,
            updated_at=self.now,
            events=(event, LifecycleEvent(name="ApplicationStart", status="Skipped")),
        )

    def waiting(self, name, **plan):
        return GroupState(plan=self.group_plan(name, **plan))

    def queued(self, name, behind="d-OTHER1234", *, whose=None):
        holder = ActiveDeployment(deployment_id=behind, whose=whose, since=self.at(-60)) if whose else None
        return GroupState(
            plan=self.group_plan(name), phase=Phase.QUEUED, behind=behind, holder=holder, since=NOON
        )

    def stop(self, kind=StopKind.STOP):
        return StopRequest(release="r-20261122-1200", kind=kind, actor="maria", at=self.at(30))

    def running(self, name, *, done=3, moving=1, workers=6):
        return GroupState(
            plan=self.group_plan(name, workers),
            phase=Phase.RUNNING,
            deployment_id=f"d-{name[:4].upper()}12345",
            status=DeploymentStatus.IN_PROGRESS,
            counts=Counts(succeeded=done, in_progress=moving, pending=workers - done - moving),
            since=NOON,
        )

    def failing(self, name, target=None):
        target = target or self.failed_target()
        return GroupState(
            plan=self.group_plan(name),
            phase=Phase.RUNNING,
            deployment_id="d-BAD123456",
            status=DeploymentStatus.IN_PROGRESS,
            counts=Counts(succeeded=2, failed=1, pending=3),
            targets={target.instance_id: target},
            since=NOON,
        )

    def over(self, name, verdict=Verdict.VERIFIED, *, reason=None, workers=6):
        return GroupState(
            plan=self.group_plan(name, workers),
            phase=Phase.FINISHED,
            deployment_id="d-OVER12345",
            outcome=self.group_outcome(name, verdict, verified=workers, reason=reason),
            since=self.at(72),
        )

    def state(self, *groups, waves=None, plan=None, **changes):
        plan = plan or self.plan(*(waves or [[g.plan for g in groups]]))
        return ReleaseState(plan=plan, started_at=NOON, groups={g.plan.group: g for g in groups}, **changes)

    def group_outcome(
        self, name, verdict=Verdict.VERIFIED, *, verified=6, failed=(), reason=None, version="v123"
    ):
        workers = tuple(
            WorkerOutcome(instance_id=f"i-{name}-{n}", verdict=WorkerVerdict.VERIFIED)
            for n in range(verified)
        )
        bad = tuple(
            WorkerOutcome(instance_id=f"i-{name}-bad{n}", verdict=WorkerVerdict.FAILED, cause=cause)
            for n, cause in enumerate(failed)
        )
        return GroupOutcome(
            group=name,
            asgs=(f"{name}-asg",),
            strategy=parse_strategy("half"),
            version=version,
            deployment_id="d-1",
            verdict=verdict,
            workers=workers + bad,
            reason=reason,
        )

    def outcome(self, *groups, elapsed_s=312.0, calls=None, **changes):
        facts = {
            "release_id": "r-20261122-1200",
            "application": "shop",
            "version": "v123",
            "verdict": worst(g.verdict for g in groups),
            "started_at": NOON,
            "elapsed_s": elapsed_s,
            "groups": tuple(groups),
            "calls": calls or {},
        }
        return ReleaseOutcome(**{**facts, **changes})

    def worker(self, instance_id, group="mail-send", category=Category.CURRENT, **changes):
        facts = {
            "asg": f"{group}-asg",
            "cause": None,
            "evidence": None,
            "deployed_version": "v123" if category is Category.CURRENT else "v122",
            "desired_version": "v123",
            "desired_verdict": Verdict.VERIFIED,
            "previous_version": "v122",
            "version_failed_here": False,
            "is_in_progress": False,
            "in_progress_release": None,
            "in_progress_kind": None,
            "minutes_behind": 0 if category is Category.CURRENT else 12,
            "snapshot_at": NOON,
        }
        return ReconciledWorker(
            instance_id=instance_id, group=group, category=category, **{**facts, **changes}
        )

    def stale(self, instance_id, group="mail-send", **changes):
        facts = {"cause": Cause.SKIPPED_STOPPED_EARLY, "evidence": "deployment d-1 stopped early"}
        return self.worker(instance_id, group, Category.STALE, **{**facts, **changes})

    def found(self, *workers, **changes):
        facts = {
            "application": "shop",
            "snapshot_id": "20261122T115800Z-7f",
            "snapshot_at": self.at(-120),
            "engine": "athena",
            "bytes_scanned": 48_123,
            "query_id": None,
        }
        return Reconciliation(workers=workers, **{**facts, **changes})


@pytest.fixture
def make():
    return MadeUp()

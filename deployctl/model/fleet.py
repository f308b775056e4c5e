"""The fleet as read: groups, instances, and the snapshot with one wide row per worker."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from deployctl.model.deployment import Revision
from deployctl.model.group_finding import GroupFinding
from deployctl.model.names import ApplicationName, AsgName, DeploymentId, GroupName, InstanceId, Version

TAG_VERSION = "deployctl:version"
TAG_GROUP = "deployctl:group"
TAG_RELEASE = "deployctl:release"
TAG_DEPLOYED_AT = "deployctl:deployed-at"
#: What the ValidateService hook checked before it tagged, and for which version: `process v7`, or `files v7` where no
#: unit runs the application.
TAG_PROOF = "deployctl:proof"
TAG_STRATEGY = "deployctl:strategy"

ASG_TAG_ON_INSTANCE = "aws:autoscaling:groupName"

#: The scaling processes that CodeDeploy can suspend during a deployment. Launch is not among them: Auto Scaling may
#: still add workers, but removes none.
SUSPENDABLE: Final = ("AZRebalance", "InstanceRefresh", "ScheduledActions", "Terminate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A deployment group. `tags` are those of its Auto Scaling groups; the first group's win."""

    name: GroupName
    asgs: tuple[AsgName, ...]
    hook_names: Mapping[AsgName, str | None] = field(default_factory=dict)
    last_successful: Revision | None = None
    last_attempt: DeploymentId | None = None
    last_success: DeploymentId | None = None
    auto_updates_new_instances: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance as EC2 and Auto Scaling report it.

    `lifecycle_state` is Auto Scaling's (InService, Pending:Wait, Standby, …), None once the group no longer
    lists it; `state` is EC2's (running, shutting-down, terminated, …).
    """

    instance_id: InstanceId
    asg: AsgName
    state: str
    lifecycle_state: str | None
    launched_at: datetime
    is_spot: bool = False
    is_protected: bool = False
    health: str | None = None
    state_reason_code: str | None = None
    state_reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        return self.state in ("pending", "running")

    @property
    def is_in_service(self) -> bool:
        return self.is_alive and self.lifecycle_state == "InService"

    @property
    def version(self) -> Version | None:
        """The version in the tag that the worker's last hook wrote."""
        text = self.tags.get(TAG_VERSION)
        return Version(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A scaling activity of an Auto Scaling group. `description`, `cause` and `status` are Auto Scaling's words.

    `instance_id` is its subject, if the description names one.
    """

    asg: AsgName
    instance_id: InstanceId | None
    description: str
    cause: str
    status: str
    began_at: datetime
    ended_at: datetime | None = None
    message: str | None = None

    @property
    def is_return(self) -> bool:
        """Whether it brought an instance into the group without launching it."""
        return self.description.startswith(("Moving EC2 instance out of Standby", "Attaching an existing"))


def termination_causes(activities: Iterable[Activity]) -> dict[InstanceId, str]:
    """Auto Scaling's Cause text for each instance that one of these activities terminates."""
    terminations = (a for a in activities if a.description.startswith("Terminating EC2 instance: "))
    return {a.instance_id: a.cause for a in terminations if a.instance_id is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Every group of an application and every instance of their Auto Scaling groups, as read at `at`.

    `missing` are Auto Scaling groups that deployment groups name and that do not exist: an error only for a command
    that uses them. `detached` are living instances in no Auto Scaling group whose tag names one of the groups; read
    only by commands that account for every worker.
    """

    application: ApplicationName
    at: datetime
    groups: tuple[Group, ...]
    instances: tuple[Instance, ...]
    detached: tuple[Instance, ...] = ()
    missing: tuple[AsgName, ...] = ()

    def of(self, group: Group) -> tuple[Instance, ...]:
        """The group's instances, living or terminated."""
        return tuple(i for i in self.instances if i.asg in group.asgs)


def groups_by_asg(groups: Iterable[Group]) -> dict[AsgName, list[GroupName]]:
    """The deployment groups that name each Auto Scaling group; more than one deploy over each other."""
    found: dict[AsgName, list[GroupName]] = {}
    for group in groups:
        for asg in group.asgs:
            found.setdefault(asg, []).append(group.name)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """One worker at one instant: a row of the lake's `fleet_snapshots`, in this column order.

    Only `str`, `int`, `bool` and `datetime` (UTC), flat, so that one partition answers a reconcile by itself.
    Once released, columns are only ever added, at the end, and nullable. Statuses, events and codes are
    AWS's. Keep `target_log_tail` under 500 characters: it is most of a failing fleet's bytes.
    """

    snapshot_id: str
    snapshot_at: datetime
    application: str
    group_name: str
    asg: str
    instance_id: str
    # What EC2 and Auto Scaling say. `activity_cause` is the Cause of the instance's last scaling activity
    # ("… was taken out of service in response to …"), None where it was not read.
    instance_state: str
    lifecycle_state: str | None
    health: str | None
    is_spot: bool
    is_protected: bool
    launched_at: datetime
    state_reason_code: str | None
    state_reason: str | None
    activity_cause: str | None
    # Whether the group's Auto Scaling group has the launch hook that CodeDeploy's record names; None: unknown.
    launch_hook_ok: bool | None
    # The worker's own tags. `tag_sequence` is its version's artifact's, None without an artifact.
    tag_version: str | None
    tag_sequence: int | None
    tag_group: str | None
    tag_release: str | None
    tag_deployed_at: datetime | None
    # What its group should run. A desired version without a release is a baseline.
    desired_version: str | None
    desired_sequence: int | None
    desired_release: str | None
    desired_since: datetime | None
    desired_verdict: str | None
    previous_version: str | None
    # The group's rollout of the desired release: the deployment that it made there.
    rollout_running: bool
    rollout_deployment_id: str | None
    rollout_began_at: datetime | None
    rollout_ended_at: datetime | None
    rollout_status: str | None
    rollout_error_code: str | None
    rollout_error_message: str | None
    # The last target that this instance was in, of whichever deployment. `target_of_desired`: that deployment
    # was made by the desired release or follows one of its deployments up. The event and the columns after it
    # describe the lifecycle event that failed, or else the last event that began.
    target_deployment_id: str | None
    target_deployment_status: str | None
    target_creator: str | None
    target_version: str | None
    target_of_desired: bool
    target_status: str | None
    target_updated_at: datetime | None
    target_event: str | None
    target_event_status: str | None
    target_error_code: str | None
    target_script: str | None
    target_message: str | None
    target_log_tail: str | None
    # When the first lifecycle event of that target began.
    target_began_at: datetime | None
    # The last deployment that ran anything on the worker: read only if its tag says the desired version and
    # something else contradicts the tag. `last_executed_sequence` is its version's artifact's.
    last_executed_deployment_id: str | None
    last_executed_version: str | None
    last_executed_sequence: int | None
    last_executed_status: str | None
    last_executed_at: datetime | None
    # When the worker last joined its Auto Scaling group without a launch: out of Standby, or attached; with the
    # Cause of that scaling activity. Read only if the rollout skipped the worker.
    rejoined_at: datetime | None
    rejoined_cause: str | None
    # Why the desired release abandoned the group's deployment; and whether it stopped the last deployment itself to
    # deploy again.
    desired_abandoned_reason: str | None
    rollout_stopped_by_release: bool | None
    # The release in progress in the application, whichever it is.
    in_progress_release: str | None
    # The group's active deployment, if it is not the desired release's.
    active_deployment_id: str | None
    active_deployment_creator: str | None
    # The kind of the release in progress: release, rollback or repair.
    in_progress_kind: str | None
    # The version of the group's active deployment, if it is not the desired release's.
    active_deployment_version: str | None
    # Why an instance that is not alive terminated: a value of TerminationReason.
    termination_reason: str | None
    # Why the last target failed, in one line: a FailureSummary; None where it did not fail.
    target_summary: str | None
    # The worker's tag about what its last ValidateService hook checked: "process v7" or "files v7".
    tag_proof: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole fleet at one instant: every page was read, or there is no snapshot."""

    snapshot_id: str
    at: datetime
    application: ApplicationName
    groups: tuple[GroupName, ...]
    rows: tuple[SnapshotRow, ...]
    findings: tuple[GroupFinding, ...] = ()

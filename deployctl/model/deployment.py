"""Deployments and their targets, with AWS's own statuses and codes."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from deployctl.model.names import DeploymentId, GroupName, InstanceId

MESSAGE_CHARS = 200
#: What the CodeDeploy agent keeps of a log: fewer characters, in whole lines.
LOG_TAIL_CHARS = 2048
#: The agent's message where it could not write its report as JSON.
_NOT_UTF_8 = "Attempting minimal diagnostics"
#: How the lines begin that the agent itself writes into a script's log.
_HEADINGS = ("LifecycleEvent - ", "Script - ")
#: A shell adds this to the signal that ended a command.
_SIGNAL_BASE = 128
_SIGNALS = range(1, 32)


class DeploymentStatus(StrEnum):
    CREATED = "Created"
    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    BAKING = "Baking"
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_over(self) -> bool:
        return self in (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED)


class TargetStatus(StrEnum):
    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"
    READY = "Ready"

    @property
    def is_over(self) -> bool:
        return self in (TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Targets of a deployment by status (CodeDeploy's deploymentOverview)."""

    pending: int = 0
    in_progress: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    ready: int = 0

    @property
    def total(self) -> int:
        return self.pending + self.in_progress + self.succeeded + self.failed + self.skipped + self.ready

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A bundle on S3 as CodeDeploy names it. `etag` is without quotes."""

    bucket: str
    key: str
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment as last read. `creator` is CodeDeploy's, such as CodeDeployAutoUpdate."""

    deployment_id: DeploymentId
    group: GroupName
    status: DeploymentStatus
    counts: Counts
    revision: Revision | None
    description: str
    creator: str
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    follows: DeploymentId | None = None
    follow_ons: tuple[DeploymentId, ...] = ()
    rollback_id: DeploymentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    """One lifecycle event of one target. `error_code` is CodeDeploy's, such as ScriptFailed."""

    name: str
    status: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error_code: str | None = None
    script: str | None = None
    message: str | None = None
    log_tail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureSummary:
    """Why a target failed. `facts` name the lifecycle event, error code, script and exit code.

    `detail` is the last line that the script printed, else CodeDeploy's message; each is a single line.
    """

    facts: str
    detail: str | None = None

    def __str__(self) -> str:
        return f"{self.facts}: {self.detail}" if self.detail else self.facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One instance within one deployment."""

    deployment_id: DeploymentId
    instance_id: InstanceId
    status: TargetStatus
    updated_at: datetime | None
    events: tuple[LifecycleEvent, ...] = ()

    @property
    def has_failed_event(self) -> bool:
        """Whether a lifecycle event failed; a target that a stop interrupted has no failed event."""
        return any(e.status == "Failed" for e in self.events)

    @property
    def began_at(self) -> datetime | None:
        """When its first lifecycle event began."""
        return min((e.started_at for e in self.events if e.started_at is not None), default=None)

    @property
    def executed_anything(self) -> bool:
        """Whether anything ran on the instance: the version from before may no longer run there."""
        return any(e.status == "Succeeded" or (e.status == "Failed" and e.script) for e in self.events)

    @property
    def failed_or_last_event(self) -> LifecycleEvent | None:
        """The lifecycle event that failed, or else the last event that began."""
        # Only an ApplicationStop failure can be ignored: a later failure is the reason why the deployment failed.
        failed = [e for e in self.events if e.status == "Failed"]
        begun = [e for e in self.events if e.status not in ("Pending", "Skipped")]
        return failed[-1] if failed else begun[-1] if begun else None

    @property
    def failure_summary(self) -> FailureSummary:
        """Why it failed. Without a failed lifecycle event, CodeDeploy ended the deployment in the meantime."""
        event = self.failed_or_last_event
        if event is None:
            return FailureSummary(facts="the CodeDeploy agent did not pick up the deployment")
        if not self.has_failed_event:
            when = "after" if event.status == "Succeeded" else "in"
            return FailureSummary(facts=f"interrupted {when} {event.name}")
        message = " ".join((event.message or "").split())
        ending = _ending(message, event.script)
        facts = [
            f"{event.name}: {event.error_code or event.status}",
            f"in {event.script}" if event.script else None,
            ending,
        ]
        lines = [line.strip() for line in (event.log_tail or "").splitlines()]
        printed = [line for line in lines if line and not line.startswith(_HEADINGS)]
        detail = printed[-1] if printed else None if ending else message[:MESSAGE_CHARS]
        if message == _NOT_UTF_8:
            detail = "the agent sent no log"
        elif event.log_tail == "" and event.script and ending:
            # The agent begins each script's log itself, so an empty log lost its lines.
            detail = f"no log: its last line has {LOG_TAIL_CHARS:,} characters or more"
        return FailureSummary(facts=" ".join(filter(None, facts)), detail=detail or None)


def _ending(message: str, script: str | None) -> str | None:
    """How a script ended, by the agent's message about it."""
    if message == _NOT_UTF_8:
        return "failed and printed text that is not UTF-8"
    if found := re.search(r"\bfailed (with exit code (\d+))", message):
        signal = int(found[2]) - _SIGNAL_BASE
        return f"{found[1]} (killed by signal {signal})" if signal in _SIGNALS else found[1]
    if found := re.search(r"\bfailed with error \S+ with message (.+)", message):
        if script and found[1].endswith(f"/{script}"):
            # The agent has checked that the script is there.
            return "not started: its interpreter is missing, or its lines end with CRLF"
        return f"not started: {found[1][:MESSAGE_CHARS]}"
    if found := re.search(r"\bfailed to close (STDOUT|STDERR)$", message):
        return f"left a process that holds {found[1]} open"
    return "killed by a signal" if message.endswith("failed with exit code") else None

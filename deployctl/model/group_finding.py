"""What is wrong with a group as a whole, whether or not a worker shows it so far."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class GroupCause(StrEnum):
    """docs/causes.md explains each. A finding of the group stays until its cause is gone."""

    ASG_MISSING = "auto-scaling-group-missing"
    NO_ASG = "no-auto-scaling-group"
    ASG_SHARED = "auto-scaling-group-shared"
    LAUNCH_HOOK_MISSING = "launch-hook-missing"
    LAUNCH_SUSPENDED = "launch-suspended"
    LAUNCH_LOOP = "launch-loop"
    ARTIFACT_MISSING = "artifact-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFinding:
    """One finding of one group in one snapshot: a row of the lake's `group_findings`.

    `cause` is a value of GroupCause; `remedy` is a shell command. Both texts hold foreign names: sanitize them where
    they are drawn.
    """

    snapshot_id: str
    snapshot_at: datetime
    application: str
    group_name: str
    cause: str
    evidence: str
    remedy: str | None

"""Why a worker is not current: a closed list, each with the remedy that mends it.

Which cause a worker has is decided by `athena/queries/reconcile.sql` alone; here is only what to do about it.
"""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """What a worker is, against what is desired of it: exactly one, by the first that holds."""

    NOT_MANAGED = "not-managed"
    TERMINATED_MID_DEPLOY = "terminated-mid-deploy"
    WRONG_GROUP = "wrong-group"
    CURRENT = "current"
    DEPLOYING = "deploying"
    FAILED = "failed"
    LAUNCHED_AFTER_RELEASE = "launched-after-release"
    NEVER_TAGGED = "never-tagged"
    UNKNOWN_VERSION = "unknown-version"
    AHEAD = "ahead"
    STALE = "stale"

    @property
    def is_drift(self) -> bool:
        return self not in _SETTLED


_SETTLED = frozenset(
    {Category.CURRENT, Category.DEPLOYING, Category.NOT_MANAGED, Category.TERMINATED_MID_DEPLOY}
)


class Cause(StrEnum):
    NO_DESIRED_VERSION = "no-desired-version"
    SCRIPT_FAILED = "script-failed"
    SCRIPT_TIMED_OUT = "script-timed-out"
    SCRIPT_MISSING = "script-missing"
    STOP_SCRIPT_BROKEN = "stop-script-broken"
    BUNDLE_DOWNLOAD_FAILED = "bundle-download-failed"
    APPSPEC_INVALID = "appspec-invalid"
    AGENT_SILENT = "agent-silent"
    SKIPPED_STOPPED_EARLY = "skipped-deployment-stopped-early"
    DEPLOYMENT_STOPPED = "deployment-stopped"
    DEPLOYMENT_NOT_STARTED = "deployment-not-started"
    STILL_DEPLOYING = "still-deploying"
    RECLAIMED_BY_SPOT = "reclaimed-by-spot"
    SCALED_IN = "scaled-in"
    REPLACED_UNHEALTHY = "replaced-unhealthy"
    LAUNCHED_DURING_RELEASE = "launched-during-release"
    LAUNCHED_WITH_OLDER_REVISION = "launched-with-older-revision"
    LAUNCHED_INTO_EMPTY_GROUP = "launched-into-empty-group"
    DEPLOYED_NOT_TAGGED = "deployed-not-tagged"
    TAG_AHEAD_OF_DEPLOYMENT = "tag-ahead-of-deployment"
    MOVED_GROUP = "moved-group"
    NO_ARTIFACT = "no-artifact"
    NOT_IN_RELEASE = "not-in-release"
    EVIDENCE_MISSING = "evidence-missing"


def remedy(
    cause: Cause | None, *, group: str, instance_id: str, version: str | None, held: bool
) -> str | None:
    """The command that mends this worker, or None where there is nothing to mend.

    `held`: the desired version held in this group (or found it empty). One that never held there is
    never spread: then the way out is a corrected version.
    """
    if cause is None or cause in _WAIT:
        return None
    if cause in _LOOK:
        return _LOOK[cause].format(group=group, instance_id=instance_id)
    if version is None:
        return None
    if not held and cause in _OWN_FAULT:
        return f"deployctl release NEXT --group {group}   # a corrected version; {version} failed here"
    return f"deployctl release {version} --group {group} --redeploy"


_WAIT = frozenset({Cause.STILL_DEPLOYING, Cause.RECLAIMED_BY_SPOT, Cause.SCALED_IN})
_OWN_FAULT = frozenset(
    {Cause.SCRIPT_FAILED, Cause.SCRIPT_TIMED_OUT, Cause.SCRIPT_MISSING, Cause.APPSPEC_INVALID}
)
_LOOK: dict[Cause, str] = {
    Cause.NO_DESIRED_VERSION: "deployctl release VERSION --group {group}",
    Cause.AGENT_SILENT: "aws ec2 terminate-instances --instance-ids {instance_id}"
    "   # its CodeDeploy agent is silent; the group replaces it",
}

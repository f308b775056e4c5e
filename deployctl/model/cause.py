"""The category and the cause of a worker that drifted: two closed lists.

`athena/queries/reconcile.sql` alone decides which of them a worker has.
"""

from enum import StrEnum


class Category(StrEnum):
    """A worker compared with what its group should run: exactly one, the first that applies."""

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
    """docs/causes.md explains each: how deployctl decides it, and how to fix it."""

    NO_DESIRED_VERSION = "no-desired-version"
    # The worker is terminated.
    RECLAIMED_BY_SPOT = "reclaimed-by-spot"
    CAPACITY_REBALANCING = "capacity-rebalancing"
    SCALED_IN = "scaled-in"
    REPLACED_UNHEALTHY = "replaced-unhealthy"
    TERMINATED_BY_USER = "terminated-by-user"
    # A deployment to the worker is in progress.
    STILL_DEPLOYING = "still-deploying"
    OTHER_DEPLOYMENT_RUNNING = "other-deployment-running"
    # A deployment reached the worker and failed.
    AGENT_SILENT = "agent-silent"
    STOP_SCRIPT_BROKEN = "stop-script-broken"
    BUNDLE_DOWNLOAD_FAILED = "bundle-download-failed"
    APPSPEC_INVALID = "appspec-invalid"
    INSTALL_FAILED = "install-failed"
    SCRIPT_MISSING = "script-missing"
    SCRIPT_NOT_EXECUTABLE = "script-not-executable"
    SCRIPT_TIMED_OUT = "script-timed-out"
    SCRIPT_FAILED = "script-failed"
    AGENT_ERROR = "agent-error"
    WORKER_STUCK = "worker-stuck"
    # The desired release never reached the worker.
    SKIPPED_STOPPED_EARLY = "skipped-deployment-stopped-early"
    DEPLOYMENT_STOPPED = "deployment-stopped"
    SUPERSEDED = "superseded"
    DEPLOYMENT_GIVEN_UP = "deployment-given-up"
    DEPLOYMENT_FAILED = "deployment-failed"
    GROUP_BUSY = "group-busy"
    DEPLOYMENT_NOT_STARTED = "deployment-not-started"
    NOT_IN_RELEASE = "not-in-release"
    NOT_A_TARGET = "not-a-target"
    STANDBY = "standby"
    REJOINED_LATE = "rejoined-late"
    # The worker was launched after the desired version was set.
    LAUNCHED_DURING_RELEASE = "launched-during-release"
    LAUNCHED_WITH_OLDER_REVISION = "launched-with-older-revision"
    LAUNCHED_INTO_EMPTY_GROUP = "launched-into-empty-group"
    LAUNCH_HOOK_MISSING = "launch-hook-missing"
    # The worker's tag and its deployments disagree.
    DEPLOYED_NOT_TAGGED = "deployed-not-tagged"
    TAG_EDITED = "tag-edited"
    TAG_AHEAD_OF_DEPLOYMENT = "tag-ahead-of-deployment"
    MOVED_GROUP = "moved-group"
    DETACHED = "detached"
    # Something else deployed another version.
    DEPLOYED_OUTSIDE_RELEASE = "deployed-outside-release"
    NO_ARTIFACT = "no-artifact"
    EVIDENCE_MISSING = "evidence-missing"

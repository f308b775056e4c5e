"""Where AWS's behaviour is not documented and a choice was made."""

from __future__ import annotations

from typing import Final

#: In words that a README can list. The harsher reading was taken, except where a sentence says why not.
DOUBTS: Final[tuple[str, ...]] = (
    (
        "Whether follow-on and rollback deployments hold a group's one active slot is not documented: here they do "
        "(`Slots`)."
    ),
    (
        "Launch-time deployments do not hold the slot, which is the kinder reading and as little documented: if they "
        "did, a group of spot instances that come and go would refuse releases most of the time."
    ),
    (
        "Instances that were never deployed to are unhealthy and go first, under the same limit as healthy ones. A "
        "deployment ends early once the failures reach what may be down, even while only such instances are left; "
        "the guide compares only after the unhealthy ones are through."
    ),
    "A healthy instance waits while failed, running and still unhealthy instances fill what may be down.",
    (
        "A minimum that is not below the number of instances fails the deployment with HEALTH_CONSTRAINTS_INVALID "
        "before any instance is touched; the guide says only that it fails at once."
    ),
    "The instances that an early end never reached become Skipped, as users report.",
    (
        "An instance that a stop or a time-out interrupted between two lifecycle events becomes Failed, though no "
        "event of it failed, and counts as unhealthy from then on: in users' logs a stopped deployment had "
        "Failed: 1, Skipped: 0. One that was chosen but never began becomes Skipped."
    ),
    (
        "A deployment that is being ended waits 30 simulated seconds for an instance that is gone or whose agent "
        "never answers; until then StopDeployment's answer is Pending and the slot is held. AWS gives no figure."
    ),
    (
        "A script that ignores the TERM of its timeout holds its event for an hour, also where the deployment is "
        "asked to stop: the agent never kills it, and how long the service waits is documented nowhere."
    ),
    "BatchGetDeployments leaves out the ids that it does not know.",
    (
        "updateOutdatedInstancesOnly takes the revision of the group's last successful deployment as the latest one, "
        "and a percentage is taken of the instances it chose. If it chooses none: NO_INSTANCES."
    ),
    (
        "With ignoreApplicationStopFailures the event itself stays Failed and its instance may succeed; the API "
        "reference says only that the deployment continues. Launch-time and follow-on deployments do not inherit it."
    ),
    (
        "A group's targetRevision is that of its last successful deployment by a user, a rollback or a follow-on. "
        "Launch-time deployments count as its last attempted deployment, never as its last successful one."
    ),
    "Launch-time and follow-on deployments use CodeDeployDefault.OneAtATime, whatever the group's configuration.",
    (
        "A follow-on covers instances that were launched during the deployment and have another revision or none; "
        "where the lifecycle hook is missing there is none."
    ),
    "An instance whose launch-time deployment was already running when a deployment started gets no follow-on.",
    (
        "A missing object fails the deployment with REVISION_MISSING before it starts; users also report it as a "
        "DownloadBundle failure on each instance."
    ),
    "A hook script without its run bit fails with ScriptNotExecutable; a real agent first tries to set the bit.",
    "An agent that never answers fails its instance after 5 minutes; an instance that is gone, after 60.",
    "A termination hook runs ApplicationStop only: there is no load balancer.",
    "ListDeploymentTargets of a deployment that failed before it started stays DeploymentNotStartedException.",
    (
        "Scaling processes that somebody had suspended before a deployment with ec2DeploymentOptions are resumed at "
        "its end like the others, and where two groups deploy to one Auto Scaling group, by the one that ends first: "
        "AWS does not say that CodeDeploy remembers them."
    ),
    (
        "A deployment whose processes could not be suspended or resumed fails with "
        "AUTO_SCALING_IAM_ROLE_PERMISSIONS; AWS gives no code for it. "
        "Where it had failed already, it keeps its first error and says nothing of them."
    ),
    (
        "ec2DeploymentOptions for a deployment group without an Auto Scaling group are refused, as the newer API "
        "reference has it; by older words, nothing is suspended there."
    ),
    "Rollbacks, follow-ons and launch-time deployments suspend nothing, whatever the deployment before them did.",
    "Every list has pages of 100.",
)

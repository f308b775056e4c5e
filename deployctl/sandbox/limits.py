"""What the sandbox does not model, and what it assumes where AWS documents nothing: `sandbox limits` prints both."""

from __future__ import annotations

from typing import Final

NOT_MODELLED: Final[tuple[str, ...]] = (
    "It is a simulator: no EC2 instance, no CodeDeploy agent and no script of yours runs.",
    (
        "Athena, Auto Scaling, CloudWatch (alarms), CodeDeploy, EC2 (instances and their tags), S3 and STS"
        " GetCallerIdentity answer."
        " Every other service, and every operation or option that is not modelled, is refused with"
        " NotImplementedBySandbox."
    ),
    (
        "Signatures are not verified and IAM policies are not evaluated: any client that shows the key `sandbox` may"
        " do everything, until `sandbox inject access-denied` says otherwise. Other keys are refused."
    ),
    "Requests are never throttled by themselves, at whatever rate they come; `sandbox inject throttle` does that.",
    (
        "S3, EC2, CodeDeploy and Auto Scaling are consistent at once, but a new instance cannot be tagged in its"
        " first 5 simulated seconds, and with `sandbox inject tags-late` tags appear 10 simulated seconds late."
    ),
    (
        "A simulated worker tags itself if a script of its ValidateService hook has the text `deployctl:version` in"
        " it. Files that the script sources are not searched: the shipped hook is recognised because it names the tag"
        " itself and leaves only the calling of AWS to the file that it sources."
    ),
    "The record of what happened (`sandbox events`) keeps the latest 180,000 to 200,000 events.",
    (
        "S3 never answers 409 ConditionalRequestConflict: requests are served one at a time, so no two writes race."
        " The checksum of a whole multipart object is not verified, those of its parts are. DeleteObject heeds"
        " If-Match with an ETag, not with `*`; DeleteObjects heeds no conditions."
    ),
    (
        "One region, eu-west-1: other services than S3 and STS are refused elsewhere. Buckets may be created"
        " elsewhere, and redirect as AWS does."
    ),
    (
        "Auto Scaling keeps the desired capacity, heeds lifecycle hooks and the suspension of Launch, Terminate,"
        " HealthCheck and ReplaceUnhealthy; instances can be put in Standby, detached and attached. It has no scaling"
        " policies, schedules, warm pools, instance refresh, load balancers, rebalancing between zones, cooldowns or"
        " health-check grace period."
    ),
    (
        "CloudWatch keeps no metrics, and no metric alarm is ever evaluated: it has the state that SetAlarmState or"
        " `sandbox fire` gave it, for as long as nobody sets another, where AWS's returns to its actual state within"
        " seconds. Composite alarms follow their children by AND, OR and NOT; AT_LEAST, suppressors, actions, log"
        " alarms and the binary protocol of some SDKs are not modelled."
    ),
    "Every instance is a spot instance of one type, launched by its group; instances cannot be stopped or rebooted.",
    "A group's every page after the first of DescribeAutoScalingGroups is a third short, as AWS's may be.",
)

#: AWS does not document these. The harsher reading was taken, except where a sentence gives a reason.
_CODEDEPLOY: Final[tuple[str, ...]] = (
    (
        "Whether follow-on and rollback deployments hold a group's one active slot is not documented: here they do."
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

_ATHENA: Final[tuple[str, ...]] = (
    "Athena runs SELECT only, with the functions that DuckDB answers alike; everything else fails by name.",
    "Athena's DDL is CREATE and DROP of databases and external Parquet tables, SHOW DATABASES | TABLES, and ALTER.",
    "Athena's ALTER TABLE is ADD COLUMNS and SET TBLPROPERTIES; its refusal of a column that is there is a guess.",
    "Athena's tables have at most one partition column, a string projected as a date in HOURS, DAYS or WEEKS.",
    "Athena's bytes scanned: an object below 3 MiB counts whole, as in Trino's default; AWS does not say.",
    "Athena's catalog is its own: Glue does not see its tables.",
    "Athena forgets all but the last 500 queries; it has no quota of queries that run at once.",
    "Athena's error types are not modelled: every failed query is the user's error.",
    "Athena checks no permissions on the objects that a query reads.",
    "Stopping a query that is over changes nothing and is no error.",
)

ASSUMPTIONS: Final[tuple[str, ...]] = (
    *_CODEDEPLOY,
    *_ATHENA,
    "How long after its launch an instance cannot be tagged yet is not documented: 5 simulated seconds here.",
    "Whether a terminated instance that is still described can be tagged is not documented: here it cannot.",
    (
        "A terminated instance is described for one simulated hour, AWS says about an hour: divide it by the speed."
    ),
    (
        "A spot reclaim appears among the scaling activities as 'an EC2 health check indicating it has been"
        " terminated or stopped', as published activity logs have it; nothing there says that it was a spot reclaim."
    ),
    "The message of the state reason Server.SpotInstanceTermination differs between sources; its code does not.",
    (
        "DescribeAlarms gives alarms in the order of their names, metric and composite ones together, 50 a page: the"
        " order over pages is not documented. StateUpdatedTimestamp moves with every SetAlarmState,"
        " StateTransitionedTimestamp only where the state becomes another."
    ),
    (
        "TerminateInstanceInAutoScalingGroup takes an instance out while the process Terminate is suspended, and so"
        " does an abandoned launch: AWS says only that what is InService is neither scaled in nor replaced then."
    ),
    (
        "Whether CodeDeploy deploys to an instance in Standby is not documented: here it does not, and what is in"
        " Standby, or detached, during a release stays on its version."
    ),
    (
        "No lifecycle hook runs for instances that are attached or leave Standby, as the Auto Scaling guide says, so"
        " CodeDeploy deploys nothing to them: they keep the version that they came with. Each such move takes 5"
        " simulated seconds."
    ),
    (
        "The scaling activity of an attachment is worded by the others' example: AWS shows none. A detached instance"
        " loses its tag aws:autoscaling:groupName and keeps all others."
    ),
    "Launching takes 25 to 55 simulated seconds, a health check 30, a replacement 10 more; AWS promises no figures.",
)

"""What the sandbox does not model, and where AWS leaves doubt: the README and `sandbox limits` print this."""

from __future__ import annotations

from typing import Final

from deployctl.sandbox.athena.assumptions import DOUBTS as ATHENA_DOUBTS
from deployctl.sandbox.codedeploy.assumptions import DOUBTS as CODEDEPLOY_DOUBTS

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
        "One region, eu-west-1. Buckets may be created elsewhere and redirect as AWS does; EC2 and Auto Scaling are"
        " empty in other regions; Athena, CloudWatch and CodeDeploy are refused there."
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

DOUBTS: Final[tuple[str, ...]] = (
    *CODEDEPLOY_DOUBTS,
    *ATHENA_DOUBTS,
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

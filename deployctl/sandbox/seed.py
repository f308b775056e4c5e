"""The account's initial resources: groups, workers, a bucket, an application, an alarm."""

from dataclasses import dataclass
from datetime import timedelta

from deployctl.sandbox import s3
from deployctl.sandbox.cloudwatch import CloudWatch
from deployctl.sandbox.codedeploy import CodeDeploy
from deployctl.sandbox.constants import ALARM, APPLICATION, BUCKET, CODEDEPLOY_ROLE_ARN, REGION
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.groups import AsgTag
from deployctl.sandbox.simulation import Simulation

#: Initial workers are between an hour and five days old.
YOUNGEST_S = 3_600
OLDEST_S = 5 * 86_400
QUEUE_TAG = "deployctl:queue"
QUEUES = (
    "video-transcode", "mail-send", "image-resize", "invoice-render", "search-index", "order-import",
    "payment-capture", "refund-settle", "stock-sync", "price-refresh", "report-build", "export-csv",
    "push-notify", "sms-send", "webhook-deliver", "thumbnail-make", "audio-normalize", "feed-publish",
    "cart-expire", "session-clean", "fraud-score", "label-print", "shipment-track", "return-intake",
    "review-moderate", "recommend-train", "catalog-import", "translate-text", "subtitle-burn", "pdf-stamp",
    "backup-verify", "audit-log", "metrics-rollup", "cache-warm", "sitemap-build", "coupon-issue",
    "loyalty-credit", "tax-compute", "currency-convert", "address-check", "geo-lookup", "avatar-crop",
    "chat-archive", "ticket-route", "survey-tally", "campaign-plan", "segment-build", "ledger-post",
    "bank-reconcile", "dunning-notice",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The number of groups, and the total number of workers."""

    groups: int
    workers: int


def queue_names(number: int) -> list[str]:
    """The queues of a shop; beyond the list, names get a number: `mail-send-2`."""
    turns = range(2, number // len(QUEUES) + 2)
    names = [*QUEUES, *(f"{name}-{turn}" for turn in turns for name in QUEUES)]
    return names[:number]


def spread(size: Size, world: Simulation) -> list[int]:
    """Workers per group: equal if divisible, else by the seed, at least one each if there are enough."""
    each, rest = divmod(size.workers, size.groups)
    if rest == 0:
        return [each] * size.groups
    luck = world.chance("spread")
    counts = [min(1, each)] * size.groups
    for _ in range(size.workers - sum(counts)):
        counts[luck.randrange(size.groups)] += 1
    return counts


def seed_fleet(world: Simulation, fleet: Fleet, size: Size) -> dict[str, str]:
    """Make the Auto Scaling groups with their workers in service.

    Returns the name of each deployment group (its queue) and of its Auto Scaling group.
    """
    groups = {queue: f"{APPLICATION}-{queue}" for queue in queue_names(size.groups)}
    for (queue, asg), workers in zip(groups.items(), spread(size, world), strict=True):
        tags = {"Name": asg, "deployctl:application": APPLICATION, QUEUE_TAG: queue}
        group = fleet.create_group(
            asg,
            desired=workers,
            max_size=max(2_000, 2 * workers),
            tags=[AsgTag(key=key, value=value) for key, value in tags.items()],
        )
        luck = world.chance("age", asg)
        for age_s in sorted((luck.uniform(YOUNGEST_S, OLDEST_S) for _ in range(workers)), reverse=True):
            fleet.seed_member(group, world.now() - timedelta(seconds=age_s))
    return groups


def deployment_groups(codedeploy: CodeDeploy, groups: dict[str, str]) -> None:
    """The application, and a deployment group for each Auto Scaling group, created through CodeDeploy's API."""
    codedeploy.create_application({"applicationName": APPLICATION, "computePlatform": "Server"})
    for name, asg in groups.items():
        codedeploy.create_deployment_group(
            {
                "applicationName": APPLICATION,
                "deploymentGroupName": name,
                "autoScalingGroups": [asg],
                "serviceRoleArn": CODEDEPLOY_ROLE_ARN,
                "deploymentConfigName": "CodeDeployDefault.OneAtATime",
            }
        )


def seed_alarm(cloudwatch: CloudWatch) -> None:
    """Create an alarm in state OK; `sandbox fire` sets it to ALARM."""
    cloudwatch.put_metric_alarm(
        {
            "AlarmName": ALARM,
            "AlarmDescription": "Tasks that failed",
            "Namespace": APPLICATION,
            "MetricName": "TasksFailed",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 10.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
    )
    cloudwatch.set_alarm_state({"AlarmName": ALARM, "StateValue": "OK", "StateReason": "no task has failed"})


def seed(world: Simulation, fleet: Fleet, size: Size) -> dict[str, str]:
    """Fill an empty account with a fleet and a bucket; returns the groups of `seed_fleet`."""
    with world.lock:
        groups = seed_fleet(world, fleet, size)
        s3.backend().create_bucket(BUCKET, REGION)
        return groups

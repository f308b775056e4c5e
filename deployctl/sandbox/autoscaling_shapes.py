"""Auto Scaling's groups, activities and hooks in botocore's output shapes."""

import json
from typing import Any

from deployctl.sandbox.constants import ACCOUNT_ID, REGION
from deployctl.sandbox.ec2_shapes import subnet_id
from deployctl.sandbox.fleet.groups import Activity, AsgTag, CapacitySlot, Group, Hook
from deployctl.sandbox.fleet.lifecycle import template_id

GLOBAL_TIMEOUT_S = 172_800


def group(asg: Group) -> dict[str, Any]:
    return {
        "AutoScalingGroupName": asg.name,
        "AutoScalingGroupARN": arn(asg),
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"LaunchTemplateSpecification": _template(asg.name)},
            "InstancesDistribution": {
                "OnDemandBaseCapacity": 0,
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
        },
        "MinSize": asg.min_size,
        "MaxSize": asg.max_size,
        "DesiredCapacity": asg.desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": list(asg.zones),
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 300,
        "Instances": [instance(asg, slot) for slot in asg.slots.values()],
        "CreatedTime": asg.created_at,
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": why} for name, why in sorted(asg.suspended.items())
        ],
        "VPCZoneIdentifier": ",".join(subnet_id(zone) for zone in asg.zones),
        "EnabledMetrics": [],
        "Tags": [tag(asg.name, each) for each in asg.tags.values()],
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
        "ServiceLinkedRoleARN": (
            f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/autoscaling.amazonaws.com"
            "/AWSServiceRoleForAutoScaling"
        ),
        "CapacityRebalance": False,
    }


def arn(asg: Group) -> str:
    uuid = f"{template_id(asg.name)[4:12]}-0000-4000-8000-000000000000"
    return (
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT_ID}:autoScalingGroup:{uuid}:autoScalingGroupName/{asg.name}"
    )


def instance(asg: Group, slot: CapacitySlot) -> dict[str, Any]:
    return {
        "InstanceId": slot.instance_id,
        "InstanceType": slot.instance.instance_type,
        "AvailabilityZone": slot.instance.zone,
        "LifecycleState": slot.lifecycle_state,
        "HealthStatus": "Healthy" if slot.healthy else "Unhealthy",
        "LaunchTemplate": _template(asg.name),
        "ProtectedFromScaleIn": slot.protected,
    }


def tag(group_name: str, given: AsgTag) -> dict[str, Any]:
    return {
        "ResourceId": group_name,
        "ResourceType": "auto-scaling-group",
        "Key": given.key,
        "Value": given.value,
        "PropagateAtLaunch": given.propagate,
    }


def activity(asg: Group, given: Activity) -> dict[str, Any]:
    return {
        "ActivityId": given.activity_id,
        "AutoScalingGroupName": asg.name,
        "AutoScalingGroupARN": arn(asg),
        "Description": given.description,
        "Cause": given.cause,
        "StartTime": given.started_at,
        "EndTime": given.ended_at,
        "StatusCode": given.status,
        "StatusMessage": given.message,
        "Progress": given.progress,
        "Details": json.dumps({"Subnet ID": subnet_id(given.zone), "Availability Zone": given.zone}),
    }


def hook(asg: Group, given: Hook) -> dict[str, Any]:
    return {
        "LifecycleHookName": given.name,
        "AutoScalingGroupName": asg.name,
        "LifecycleTransition": given.transition,
        "HeartbeatTimeout": given.heartbeat_s,
        "GlobalTimeout": GLOBAL_TIMEOUT_S,
        "DefaultResult": given.result,
    }


def _template(group_name: str) -> dict[str, str]:
    return {
        "LaunchTemplateId": template_id(group_name),
        "LaunchTemplateName": group_name,
        "Version": "1",
    }

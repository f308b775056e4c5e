"""An instance in DescribeInstances' output shape."""

from typing import Any

from deployctl.sandbox.constants import ACCOUNT_ID, INSTANCE_PROFILE_ARN, REGION
from deployctl.sandbox.fleet.instances import STATE_CODES, Instance, InstanceState

_METADATA_OPTIONS = {
    "State": "applied",
    "HttpTokens": "required",
    "HttpPutResponseHopLimit": 2,
    "HttpEndpoint": "enabled",
    "InstanceMetadataTags": "enabled",
}


def state(name: InstanceState) -> dict[str, Any]:
    return {"Code": STATE_CODES[name], "Name": name}


def status(instance: Instance) -> dict[str, Any]:
    """In DescribeInstanceStatus: a running instance has passed its checks."""
    checked, result = ("ok", "passed") if instance.state == "running" else ("not-applicable", None)
    details = [{"Name": "reachability", "Status": result}] if result else []
    return {
        "InstanceId": instance.instance_id,
        "AvailabilityZone": instance.zone,
        "InstanceState": state(instance.state),
        "InstanceStatus": {"Status": checked, "Details": details},
        "SystemStatus": {"Status": checked, "Details": details},
    }


def reservation(instance: Instance) -> dict[str, Any]:
    """Each instance has its own reservation."""
    return {
        "ReservationId": f"r-0{instance.instance_id[3:]}",
        "OwnerId": ACCOUNT_ID,
        "Groups": [],
        "Instances": [_instance(instance)],
    }


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "InstanceId": instance.instance_id,
        "ImageId": "ami-0de9101c710000000",
        "State": state(instance.state),
        "AmiLaunchIndex": 0,
        "ProductCodes": [],
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launched_at.replace(microsecond=0),
        "Placement": {"AvailabilityZone": instance.zone, "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": "disabled"},
        "Architecture": "x86_64",
        "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/xvda",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "InstanceLifecycle": "spot",
        "SpotInstanceRequestId": f"sir-{instance.instance_id[3:11]}",
        "IamInstanceProfile": {"Arn": INSTANCE_PROFILE_ARN, "Id": "AIPADEPLOYCTLSANDBOX0"},
        "MetadataOptions": _METADATA_OPTIONS,
        "Tags": [{"Key": key, "Value": value} for key, value in instance.tags.items()] or None,
        **_network(instance),
        **_reason(instance),
    }


def _network(instance: Instance) -> dict[str, Any]:
    """A terminated instance has no network."""
    if not instance.exists:
        return {"PrivateDnsName": "", "PublicDnsName": ""}
    return {
        "PrivateDnsName": f"ip-{instance.private_ip.replace('.', '-')}.{REGION}.compute.internal",
        "PublicDnsName": "",
        "PrivateIpAddress": instance.private_ip,
        "SubnetId": subnet_id(instance.zone),
        "VpcId": "vpc-0aaaaaaaaaaaaaaaa",
    }


def subnet_id(zone: str) -> str:
    return f"subnet-0{zone[-1] * 16}"


def _reason(instance: Instance) -> dict[str, Any]:
    if instance.reason is None:
        return {"StateTransitionReason": ""}
    return {
        "StateTransitionReason": instance.reason.transition,
        "StateReason": {"Code": instance.reason.code, "Message": instance.reason.message},
    }

"""EC2 as boto3 sees it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

UNKNOWN = "i-0123456789abcdef0"


def ids_of(ec2, **filters):
    asked = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=asked)
    return [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]


def code(call):
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


def test_instances_have_the_shape_of_the_model(ec2, problems):
    response = ec2.describe_instances()
    assert problems(ec2, "DescribeInstances", response) == []
    instance = response["Reservations"][0]["Instances"][0]
    assert instance["State"] == {"Code": 16, "Name": "running"}
    assert instance["InstanceLifecycle"] == "spot"


def test_pages_hold_every_instance_once(ec2):
    pages = list(
        ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}),
    )
    ids = [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
    assert len(pages) > 1
    assert sorted(ids) == sorted(ids_of(ec2))
    assert len(ids) == len(set(ids))


def test_filters_choose_by_tag_state_and_id(ec2):
    asg = [{"Name": "tag:aws:autoscaling:groupName", "Values": ["shop-mail-send"]}]
    running = [*asg, {"Name": "instance-state-name", "Values": ["running"]}]
    found = [i for r in ec2.describe_instances(Filters=running)["Reservations"] for i in r["Instances"]]
    assert len(found) == 3
    chosen = ids_of(ec2, instance_id=[found[0]["InstanceId"]])
    assert chosen == [found[0]["InstanceId"]]
    # The seeded groups only: tests add others, whose instances need no such tag.
    seeded = {"tag:aws:autoscaling:groupName": ["shop-*"]}
    assert len(ids_of(ec2, **seeded, tag_key=["deployctl:*"])) == len(ids_of(ec2, **seeded)) > 0
    assert ids_of(ec2, tag_key=["unused-key"]) == []


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"MaxResults": 4}, "InvalidParameterValue"),
        ({"MaxResults": 1001}, "InvalidParameterValue"),
        ({"MaxResults": 5, "InstanceIds": [UNKNOWN]}, "InvalidParameterCombination"),
        ({"InstanceIds": [UNKNOWN]}, "InvalidInstanceID.NotFound"),
        ({"NextToken": "nonsense"}, "InvalidParameterValue"),
        ({"Filters": [{"Name": "owner-id", "Values": ["1"]}]}, "NotImplementedBySandbox"),
    ],
)
def test_what_ec2_refuses_is_refused(ec2, asked, refusal):
    assert code(lambda: ec2.describe_instances(**asked)) == refusal


def test_tags_come_back_as_they_were_set(ec2, problems):
    ids = ids_of(ec2, tag_key=["Name"])[:2]
    odd = "<&> \N{SNOWMAN} '\""
    ec2.create_tags(Resources=ids, Tags=[{"Key": "odd", "Value": odd}])
    response = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["odd"]}])
    assert problems(ec2, "DescribeTags", response) == []
    assert [(tag["ResourceId"], tag["Value"]) for tag in response["Tags"]] == [(i, odd) for i in ids]
    ec2.delete_tags(Resources=ids, Tags=[{"Key": "odd"}])
    assert ec2.describe_tags(Filters=[{"Name": "key", "Values": ["odd"]}])["Tags"] == []


def test_one_unknown_id_fails_the_whole_call(ec2):
    known = ids_of(ec2)[0]
    tags = [{"Key": "half", "Value": "x"}]
    assert (
        code(lambda: ec2.create_tags(Resources=[known, UNKNOWN], Tags=tags)) == "InvalidInstanceID.NotFound"
    )
    assert ids_of(ec2, tag_key=["half"]) == []


def test_awss_own_tags_are_refused(ec2):
    tags = [{"Key": "aws:mine", "Value": "x"}]
    assert code(lambda: ec2.create_tags(Resources=ids_of(ec2)[:1], Tags=tags)) == "InvalidParameterValue"


def test_a_terminated_instance_gives_its_reason(start_sandbox, until, problems):
    sandbox = start_sandbox(groups=1, workers=4, seed=11, speed=60.0)
    ec2 = sandbox.client("ec2")
    by_spot, by_user = ids_of(ec2)[:2]
    sandbox.control.reclaim([by_spot], notice_s=0)
    response = ec2.terminate_instances(InstanceIds=[by_user])
    assert problems(ec2, "TerminateInstances", response) == []
    assert response["TerminatingInstances"][0]["CurrentState"]["Name"] == "shutting-down"

    def ended():
        found = ec2.describe_instances(InstanceIds=[by_spot, by_user])["Reservations"]
        instances = [i for r in found for i in r["Instances"]]
        return instances if all(i["State"]["Name"] == "terminated" for i in instances) else None

    spot, user = until(ended)
    assert spot["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert user["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert user["StateTransitionReason"].startswith("User initiated (")
    assert "PrivateIpAddress" not in spot

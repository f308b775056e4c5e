"""The Tags port: the same cases over the fake and over EC2."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.aws.session import Aws
from deployctl.aws.tags import Ec2Tags
from deployctl.model.names import InstanceId
from deployctl.ports import Tags
from tests.fakes.storage import FakeTags

VERSION = {"deployctl:version": "v1", "deployctl:release": "r-1"}
MISSING = [InstanceId(f"i-0000000000000{number:04x}") for number in range(1, 4)]
Read = Callable[[InstanceId], dict[str, str]]


@pytest.fixture
def living(own) -> list[InstanceId]:
    return own.in_service(own.add_asg("mail", workers=4))


@pytest.fixture(params=["fake", "ec2"])
def tags(request: pytest.FixtureRequest, living: list[InstanceId]) -> Tags:
    return FakeTags(living) if request.param == "fake" else Ec2Tags(request.getfixturevalue("aws"))


@pytest.fixture
def read(tags: Tags, sandbox) -> Read:
    """The tags that lie on an instance."""

    def on_ec2(instance_id: InstanceId) -> dict[str, str]:
        found = sandbox.client("ec2").describe_instances(InstanceIds=[instance_id])
        return {tag["Key"]: tag["Value"] for tag in found["Reservations"][0]["Instances"][0]["Tags"]}

    return tags.tags.__getitem__ if isinstance(tags, FakeTags) else on_ec2


def test_every_instance_takes_the_tags(tags: Tags, living: list[InstanceId], read: Read):
    tagged = tags.tag(living, VERSION)
    assert set(tagged.done) == set(living)
    assert (tagged.gone, tagged.refused) == ((), None)
    for instance_id in living:
        assert read(instance_id).items() >= VERSION.items()


def test_a_vanished_instance_does_not_affect_the_others(tags: Tags, living: list[InstanceId], read: Read):
    tagged = tags.tag([MISSING[0], *living[:2], MISSING[1], *living[2:], MISSING[2]], VERSION)
    assert set(tagged.done) == set(living)
    assert set(tagged.gone) == set(MISSING)
    assert tagged.refused is None
    for instance_id in living:
        assert read(instance_id).items() >= VERSION.items()


def test_only_vanished_instances_are_all_gone(tags: Tags):
    tagged = tags.tag(MISSING, VERSION)
    assert (tagged.done, set(tagged.gone)) == ((), set(MISSING))


def test_an_instance_named_twice_is_tagged_once(tags: Tags, living: list[InstanceId]):
    assert tags.tag([living[0], living[0]], VERSION).done == (living[0],)


def test_no_instances_need_no_call(aws: Aws):
    assert Ec2Tags(aws).tag([], VERSION).done == ()
    assert aws.calls.snapshot() == {}


def test_only_the_instance_without_room_for_tags_is_refused(aws: Aws, living: list[InstanceId], sandbox):
    full = living[1]
    sandbox.client("ec2").create_tags(
        Resources=[full],
        Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(49 - own_tags(sandbox, full))],
    )
    tagged = Ec2Tags(aws).tag(living, VERSION)
    assert set(tagged.done) == set(living) - {full}
    assert set(tagged.refused or {}) == {full}
    assert "TagLimitExceeded" in (tagged.refused or {})[full]


def own_tags(sandbox, instance_id: InstanceId) -> int:
    found = sandbox.client("ec2").describe_instances(InstanceIds=[instance_id])
    tags = found["Reservations"][0]["Instances"][0]["Tags"]
    return sum(not tag["Key"].startswith("aws:") for tag in tags)


def test_one_call_tags_as_many_as_ec2_takes(aws: Aws, living: list[InstanceId]):
    Ec2Tags(aws).tag(living, VERSION)
    assert aws.calls.snapshot() == {"ec2:CreateTags": 1}


def test_a_vanished_instance_costs_one_more_call(aws: Aws, living: list[InstanceId]):
    Ec2Tags(aws).tag([*living, MISSING[0]], VERSION)
    assert aws.calls.snapshot() == {"ec2:CreateTags": 2}

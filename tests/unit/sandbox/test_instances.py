"""Tags are all or nothing, and only for instances that are there."""

from __future__ import annotations

import pytest

from deployctl.sandbox.fleet.instances import Instances
from deployctl.sandbox.unsupported import Refused

UNKNOWN = "i-0123456789abcdef0"


@pytest.fixture
def instances(world):
    instances = Instances(world)
    for _ in range(2):
        instances.launch(asg="a", zone="eu-west-1a", tags={"aws:x": "1"}, launched_at=world.now())
    world.advance(10)
    return instances


def refusal(call):
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code, caught.value.message


def test_one_unknown_id_tags_nothing_and_is_named(instances):
    ids = [instance.instance_id for instance in instances]
    code, message = refusal(lambda: instances.tag([*ids, UNKNOWN], {"a": "b"}))
    assert code == "InvalidInstanceID.NotFound"
    assert message == f"The instance ID '{UNKNOWN}' does not exist"
    assert all("a" not in instance.tags for instance in instances)


def test_several_unknown_ids_are_all_named(instances):
    _, message = refusal(lambda: instances.tag([UNKNOWN, UNKNOWN[:-1] + "1"], {"a": "b"}))
    assert message == f"The instance IDs '{UNKNOWN}, {UNKNOWN[:-1]}1' do not exist"


def test_a_malformed_id_is_refused_as_malformed(instances):
    assert refusal(lambda: instances.tag(["i-zz"], {"a": "b"})) == (
        "InvalidInstanceID.Malformed",
        'Invalid id: "i-zz"',
    )


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"aws:mine": "x"}, "InvalidParameterValue"),
        ({"AWS:mine": "x"}, "InvalidParameterValue"),
        ({"k" * 129: "x"}, "InvalidParameterValue"),
        ({"": "x"}, "InvalidParameterValue"),
        ({"k": "v" * 257}, "InvalidParameterValue"),
        ({f"k{n}": "v" for n in range(51)}, "TagLimitExceeded"),
    ],
)
def test_bad_tags_are_refused(instances, tags, code):
    ids = [instance.instance_id for instance in instances]
    assert refusal(lambda: instances.tag(ids, tags))[0] == code
    assert all(set(instance.tags) == {"aws:x"} for instance in instances)


def test_fifty_tags_fit_beside_awss_own(instances):
    ids = [instance.instance_id for instance in instances]
    instances.tag(ids, {f"k{n}": "v" for n in range(50)})
    assert all(len(instance.tags) == 51 for instance in instances)


def test_more_than_a_thousand_ids_are_refused(instances):
    ids = [f"i-{n:017x}" for n in range(1_001)]
    assert refusal(lambda: instances.tag(ids, {"a": "b"}))[0] == "RequestResourceCountExceeded"


def test_a_terminated_instance_cannot_be_tagged(instances):
    instance = next(iter(instances))
    instance.state = "terminated"
    assert refusal(lambda: instances.tag([instance.instance_id], {"a": "b"}))[0] == (
        "InvalidInstanceID.NotFound"
    )


def test_an_instance_just_launched_is_described_before_it_can_be_tagged(instances, world):
    new = instances.launch(asg="a", zone="eu-west-1a", tags={}, launched_at=world.now())
    assert instances.named([new.instance_id]) == [new]
    refusal(lambda: instances.tag([new.instance_id], {"a": "b"}))
    world.advance(5)
    instances.tag([new.instance_id], {"a": "b"})
    assert new.tags == {"a": "b"}


def test_a_tag_is_removed_only_if_its_value_matches_the_given_value(instances):
    ids = [instance.instance_id for instance in instances]
    instances.tag(ids, {"a": "1", "b": "2"})
    instances.untag(ids, {"a": "other", "b": None})
    assert all(set(instance.tags) == {"aws:x", "a"} for instance in instances)

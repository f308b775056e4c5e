"""CreateTags when EC2 does not say which instance it means, or says it of too many."""

from __future__ import annotations

import pytest

from deployctl.aws import service_errors
from deployctl.aws.session import Aws
from deployctl.aws.tags import Ec2Tags
from deployctl.model.names import InstanceId
from tests.fakes.aws_server import Answer, AwsServer, Request, ec2_error, xml_answer

DONE = xml_answer("<CreateTagsResponse><return>true</return></CreateTagsResponse>")
IDS = [InstanceId(f"i-{number:017x}") for number in range(1_000)]


def resources(request: Request) -> list[str]:
    return [values[0] for name, values in request.form.items() if name.startswith("ResourceId")]


@pytest.fixture
def tags(aws: Aws) -> Ec2Tags:
    return Ec2Tags(aws)


def refusing(bad: set[str], code: str, message: str = "one of them"):
    def answer(request: Request) -> Answer:
        return ec2_error(code, message) if bad & set(resources(request)) else DONE

    return answer


def test_one_call_tags_a_thousand_instances(tags: Ec2Tags, server: AwsServer):
    server.answers(DONE)
    ids = [InstanceId(f"i-{number:017x}") for number in range(2_001)]
    assert len(tags.tag(ids, {"a": "b"}).done) == 2_001
    assert [len(resources(r)) for r in server.requests] == [1_000, 1_000, 1]


def test_a_vanished_instance_that_is_not_named_is_found_by_halving(tags: Ec2Tags, server: AwsServer):
    server.answer_by = refusing({IDS[517]}, "InvalidInstanceID.NotFound")
    tagged = tags.tag(IDS, {"a": "b"})
    assert tagged.gone == (IDS[517],)
    assert len(tagged.done) == 999
    assert len(server.requests) <= 21


def test_an_error_that_names_a_foreign_id_does_not_loop(tags: Ec2Tags, server: AwsServer):
    server.answers(
        ec2_error("InvalidInstanceID.NotFound", "The instance ID 'i-0fffffffffffffff' does not exist")
    )
    tagged = tags.tag(IDS[:4], {"a": "b"})
    assert set(tagged.gone) == set(IDS[:4])
    assert len(server.requests) == 7


@pytest.mark.parametrize(
    "code", ["TagLimitExceeded", "InvalidInstanceID.Malformed", "IncorrectInstanceState"]
)
def test_a_failing_instance_is_found_and_reported_with_its_reason(
    tags: Ec2Tags, server: AwsServer, code: str
):
    server.answer_by = refusing({IDS[3], IDS[900]}, code)
    tagged = tags.tag(IDS, {"a": "b"})
    assert tagged.refused is not None
    assert set(tagged.refused) == {IDS[3], IDS[900]}
    assert code in tagged.refused[IDS[3]]
    assert len(tagged.done) == 998


def test_a_fleet_that_refuses_altogether_does_not_cost_calls_without_end(aws: Aws, server: AwsServer):
    server.answers(ec2_error("TagLimitExceeded"))
    tagged = Ec2Tags(aws, most_calls=10).tag(IDS, {"a": "b"})
    assert tagged.done == ()
    assert tagged.refused is not None
    assert set(tagged.refused) == set(IDS)
    assert len(server.requests) == 10


def test_a_denied_call_is_an_error_not_a_refusal(tags: Ec2Tags, server: AwsServer):
    server.answers(ec2_error("UnauthorizedOperation", status=403))
    with pytest.raises(service_errors.AccessDenied):
        tags.tag(IDS, {"a": "b"})
    assert len(server.requests) == 1

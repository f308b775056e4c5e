"""The Scaling port: the same cases over the fake and over Auto Scaling, and what only the adapter can show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.scaling import AwsScaling
from deployctl.aws.service_errors import ServiceError
from deployctl.aws.session import Aws
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.fleet import SUSPENDABLE
from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId
from deployctl.model.port_errors import UnknownAutoScalingGroup
from deployctl.model.strategy import DeploymentConfig
from deployctl.ports import Deployments, Scaling
from deployctl.sandbox.constants import CODEDEPLOY_ROLE_ARN
from tests.contract.accounts import Account, OwnFleet, SimAccount

ALL = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")


@pytest.fixture
def scaling(request: pytest.FixtureRequest, account: Account) -> Scaling:
    if isinstance(account, SimAccount):
        return account.cloud
    return AwsScaling(request.getfixturevalue("aws"))


@pytest.fixture
def deployments(request: pytest.FixtureRequest, account: Account) -> Deployments:
    if isinstance(account, SimAccount):
        return account.cloud
    return CodeDeployDeployments(request.getfixturevalue("aws"))


@pytest.fixture
def deploy(deployments: Deployments, account: Account) -> Callable[[GroupName], DeploymentId]:
    def start(group: GroupName) -> DeploymentId:
        return deployments.create(
            account.application,
            group,
            revision=account.store_bundle(),
            config=ALL,
            description="by a test",
            suspend_scaling=True,
        )

    return start


def test_a_group_has_no_suspended_process_until_one_is_suspended(scaling: Scaling, account: Account):
    _, mail = account.add("mail", workers=0)
    _, video = account.add("video", workers=0)
    account.suspend(mail, ["Terminate", "AZRebalance"])
    assert scaling.suspended([mail, video, mail]) == {mail: ("AZRebalance", "Terminate"), video: ()}


def test_no_groups_have_nothing_suspended(scaling: Scaling):
    assert scaling.suspended([]) == {}


def test_only_the_processes_that_are_named_are_resumed(scaling: Scaling, account: Account):
    _, asg = account.add("mail", workers=0)
    account.suspend(asg, ["Terminate", "AZRebalance", "Launch"])
    scaling.resume(asg, ["Terminate", "AZRebalance"])
    assert scaling.suspended([asg]) == {asg: ("Launch",)}


def test_resuming_no_process_resumes_none(scaling: Scaling, account: Account):
    _, asg = account.add("mail", workers=0)
    account.suspend(asg, ["Launch"])
    scaling.resume(asg, [])
    assert scaling.suspended([asg]) == {asg: ("Launch",)}


@pytest.mark.parametrize("ask", ["suspended", "capacities"])
def test_a_group_that_does_not_exist_is_named(scaling: Scaling, ask: str):
    with pytest.raises(UnknownAutoScalingGroup) as raised:
        getattr(scaling, ask)([AsgName("nowhere")])
    assert raised.value.asgs == ("nowhere",)


def test_a_group_says_how_many_instances_it_is_to_have(scaling: Scaling, account: Account):
    _, mail = account.add("mail", workers=2)
    _, video = account.add("video", workers=0)
    assert scaling.capacities([mail, video, mail]) == {mail: 2, video: 0}
    account.set_desired(video, 3)
    assert scaling.capacities([video]) == {video: 3}


def test_no_groups_have_no_capacity(scaling: Scaling):
    assert scaling.capacities([]) == {}


def test_a_replaced_instance_terminates_and_another_launches(scaling: Scaling, account: Account):
    _, asg = account.add("mail", workers=2)
    stays, goes = account.in_service(asg)
    assert scaling.terminate_and_replace(goes)
    assert scaling.capacities([asg]) == {asg: 2}
    account.until(lambda: len(account.in_service(asg)) == 2 and goes not in account.in_service(asg))
    assert stays in account.in_service(asg)


def test_an_instance_on_its_way_out_cannot_be_replaced_once_more(scaling: Scaling, account: Account):
    _, asg = account.add("mail", workers=2)
    goes, _ = account.in_service(asg)
    assert scaling.terminate_and_replace(goes)
    assert not scaling.terminate_and_replace(goes)


def test_an_instance_that_no_group_lists_cannot_be_replaced(scaling: Scaling):
    assert not scaling.terminate_and_replace(InstanceId("i-0123456789abcdef0"))


def test_a_deployment_holds_the_processes_suspended_while_it_runs(scaling, account, deployments, deploy):
    group, asg = account.add("mail", workers=2)
    deployment_id = deploy(group)
    account.until(lambda: scaling.suspended([asg]) == {asg: SUSPENDABLE})
    account.until(lambda: deployments.get_many([deployment_id])[deployment_id].status.is_over)
    assert deployments.get_many([deployment_id])[deployment_id].status is DeploymentStatus.SUCCEEDED
    assert scaling.suspended([asg]) == {asg: ()}


def test_processes_that_codedeploy_left_suspended_can_be_resumed(scaling, account, deployments, deploy):
    # The sandbox's controls know a group by the queue that its Auto Scaling group is tagged with.
    group, asg = account.add("kept-still", workers=2, tags={"deployctl:queue": "kept-still"})
    account.inject("resume-fails", group)
    deployment_id = deploy(group)
    account.until(lambda: deployments.get_many([deployment_id])[deployment_id].status.is_over)
    assert deployments.get_many([deployment_id])[deployment_id].status is DeploymentStatus.FAILED
    assert scaling.suspended([asg]) == {asg: SUSPENDABLE}
    scaling.resume(asg, SUSPENDABLE)
    assert scaling.suspended([asg]) == {asg: ()}


class TestOnAws:
    """What only the adapter can show: its calls, and a refusal of CodeDeploy's."""

    @pytest.fixture
    def account(self, own: OwnFleet) -> Account:
        return own

    def test_groups_are_asked_for_by_the_hundred(self, scaling: Scaling, aws: Aws):
        with pytest.raises(UnknownAutoScalingGroup):
            scaling.suspended([AsgName(f"none-{number}") for number in range(250)])
        assert aws.calls.snapshot() == {"autoscaling:DescribeAutoScalingGroups": 3}

    def test_resuming_nothing_sends_nothing(self, scaling: Scaling, aws: Aws):
        scaling.resume(AsgName("nowhere"), [])
        assert aws.calls.snapshot() == {}

    def test_codedeploy_suspends_nothing_in_a_group_without_scaling(self, own: OwnFleet, deploy):
        own.sandbox.client("codedeploy").create_deployment_group(
            applicationName=own.application,
            deploymentGroupName="alone",
            serviceRoleArn=CODEDEPLOY_ROLE_ARN,
        )
        with pytest.raises(ServiceError) as raised:
            deploy(GroupName("alone"))
        assert "InvalidAutoScalingGroupProcessToSuspend" in str(raised.value)

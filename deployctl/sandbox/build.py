"""Builds the simulated account: one world, its services and their request dispatch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.codedeploy.responses import CodeDeployResponse
from moto.ec2.responses import EC2Response
from moto.glue.responses import GlueResponse
from moto.sts.responses import TokenResponse

from deployctl.config.aws_names import HISTORY_SUFFIX
from deployctl.sandbox import s3
from deployctl.sandbox.athena.glue import Glue
from deployctl.sandbox.athena.queries import Athena
from deployctl.sandbox.autoscaling import AutoScaling
from deployctl.sandbox.cloudwatch import CloudWatch
from deployctl.sandbox.codedeploy import CodeDeploy
from deployctl.sandbox.constants import BUCKET, DATABASE, WORKGROUP
from deployctl.sandbox.control_api import ControlApi
from deployctl.sandbox.dispatch import Dispatch
from deployctl.sandbox.ec2 import Ec2
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.moto_patch import make_fast, serve
from deployctl.sandbox.seed import Size, deployment_groups, seed, seed_alarm
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.sts import Sts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    world: Simulation
    fleet: Fleet
    dispatch: Dispatch


def build(world: Simulation, size: Size, *, stop: Callable[[], None], facts: Mapping[str, Any]) -> Cloud:
    """The account with its services and its first fleet. One per process: it patches moto's classes."""
    make_fast()
    fleet = Fleet(world)
    deployments = CodeDeploy(world, fleet, s3.S3Objects())
    queries = Athena(world)
    alarms = CloudWatch(world)
    operations = {
        "athena": serve("athena", AthenaResponse, queries),
        "autoscaling": serve("autoscaling", AutoScalingResponse, AutoScaling(fleet)),
        "codedeploy": serve("codedeploy", CodeDeployResponse, deployments),
        "ec2": serve("ec2", EC2Response, Ec2(fleet)),
        "glue": serve("glue", GlueResponse, Glue(queries.catalog)),
        "monitoring": serve("cloudwatch", CloudWatchResponse, alarms),
        "s3": s3.OPERATIONS,
        "sts": serve("sts", TokenResponse, Sts()),
    }
    deployment_groups(deployments, seed(world, fleet, size))
    queries.set_up(
        bucket=BUCKET,
        database=DATABASE,
        workgroup=WORKGROUP,
        history_workgroup=f"{WORKGROUP}{HISTORY_SUFFIX}",
    )
    seed_alarm(alarms)
    control = ControlApi(world, fleet, alarms, stop=stop, facts=facts)
    return Cloud(world=world, fleet=fleet, dispatch=Dispatch(world, operations, control.answer))

"""Builds the simulated account: one world, its services and their request dispatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployctl.config.aws_names import HISTORY_SUFFIX
from deployctl.sandbox import athena, autoscaling, cloudwatch, codedeploy, ec2, moto_patch, s3, sts
from deployctl.sandbox.constants import BUCKET, DATABASE, WORKGROUP
from deployctl.sandbox.control_api import ControlApi
from deployctl.sandbox.dispatch import Dispatch
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.seed import Size, deployment_groups, seed, seed_alarm
from deployctl.sandbox.simulation import Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    world: Simulation
    fleet: Fleet
    dispatch: Dispatch


def build(world: Simulation, size: Size, *, stop: Callable[[], None], facts: Mapping[str, Any]) -> Cloud:
    """The account with its services and its first fleet. One per process: it patches moto's classes."""
    moto_patch.make_fast()
    fleet = Fleet(world)
    ec2.install(fleet)
    autoscaling.install(fleet)
    sts.install()
    deployments = codedeploy.CodeDeploy(world, fleet, s3.S3Bundles())
    codedeploy.install(deployments)
    queries = athena.Athena(world)
    athena.install(queries)
    alarms = cloudwatch.CloudWatch(world)
    cloudwatch.install(alarms)
    operations = {
        "athena": athena.OPERATIONS,
        "autoscaling": autoscaling.OPERATIONS,
        "codedeploy": codedeploy.OPERATIONS,
        "ec2": ec2.OPERATIONS,
        "monitoring": cloudwatch.OPERATIONS,
        "s3": s3.OPERATIONS,
        "sts": sts.OPERATIONS,
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

"""Looks ahead for a dry run: reads what is in a plan's way, and how long it took before."""

from collections.abc import Mapping
from datetime import timedelta

from deployctl.errors import DeployctlError
from deployctl.execute.poll_timing import STANDARD
from deployctl.execute.start import DeploymentStarter
from deployctl.lake.queries import durations
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import ActiveDeployment, GroupAction, ReleasePlan
from deployctl.observe.active_deployments import read_active_deployments
from deployctl.plan.forecast import HISTORY_DAYS, Forecast
from deployctl.ports import Ports


def build_forecast(plan: ReleasePlan, ports: Ports) -> Forecast:
    """The forecast of a plan; without a history it has no durations. Raises: what CodeDeploy may."""
    took, gap = _history(plan, ports)
    busy, adopted = _busy(plan, ports), _adopted(plan, ports)
    return Forecast(plan=plan, busy=busy, durations=took, history_gap=gap, adopted=adopted)


def _busy(plan: ReleasePlan, ports: Ports) -> Mapping[GroupName, ActiveDeployment]:
    """The active deployments of the plan's groups, without the release's own."""
    deployed = {g.group for g in plan.groups if g.step is GroupAction.DEPLOY}
    groups = [g for g in ports.deployments.groups(plan.application) if g.name in deployed]
    found = read_active_deployments(groups, ports.deployments)
    return {name: holder for name, holder in found.items() if holder.whose != plan.release_id}


def _adopted(plan: ReleasePlan, ports: Ports) -> Mapping[GroupName, DeploymentId]:
    """The deployments that a resumed release adopts, found by its release marker."""
    if not plan.resumes:
        return {}
    marked = DeploymentStarter(plan, ports, STANDARD).find_by_marker()
    to_deploy = {g.group for g in plan.groups if g.step is GroupAction.DEPLOY}
    return {name: found.deployment_id for name, found in marked.items() if name in to_deploy}


def _history(plan: ReleasePlan, ports: Ports) -> tuple[Mapping[GroupName, DurationStats], str | None]:
    strategies = {g.group: g.strategy for g in plan.groups if g.step is GroupAction.DEPLOY}
    if not strategies:
        return {}, None
    try:
        since = plan.planned_at - timedelta(days=HISTORY_DAYS)
        found = durations(ports.history, application=plan.application, since=since, strategies=strategies)
    except DeployctlError as error:
        return {}, error.message
    return found, None

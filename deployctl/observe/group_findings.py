"""Findings of groups: what keeps a group from launching workers with the right version, by AWS's own records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployctl.model.artifact import version_of_key
from deployctl.model.command import only, shell_command, with_note
from deployctl.model.deployment import Deployment, DeploymentStatus
from deployctl.model.fleet import Fleet, Group, groups_by_asg
from deployctl.model.group_finding import GroupCause, GroupFinding
from deployctl.model.names import ApplicationName, AsgName, GroupName, Version
from deployctl.model.port_errors import ArtifactDamaged, RecordUnreadable
from deployctl.model.release import DesiredState
from deployctl.observe.deployment_evidence import DeploymentEvidence
from deployctl.observe.fleet import skip_missing_asgs
from deployctl.observe.group_view import AT_LAUNCH, GroupView
from deployctl.ports import Artifacts, Ports

#: One failed launch may be the instance's own; its successor shows whether it was.
LAUNCHES_IN_A_ROW = 2
_DEPLOYMENTS_SEARCHED = 25


def find_faults(
    fleet: Fleet,
    evidence: DeploymentEvidence,
    ports: Ports,
    *,
    groups: Sequence[Group],
    snapshot_id: str,
) -> tuple[GroupFinding, ...]:
    """Every finding of the groups with a view; `groups` are all of the application. Raises: what the services may."""
    facts = _read_facts(groups, evidence, ports)
    missing = _missing_artifacts(evidence.views, ports.artifacts)
    return tuple(
        GroupFinding(
            snapshot_id=snapshot_id,
            snapshot_at=fleet.at,
            application=fleet.application,
            group_name=view.group.name,
            cause=fault.cause.value,
            evidence=fault.evidence,
            remedy=fault.remedy,
        )
        for view in evidence.views.values()
        for fault in (
            *_faults_of_asgs(view.group, fleet, facts),
            *_launch_loop(view, missing, ports),
            *_artifact_faults(view, missing),
        )
    )


@dataclass(frozen=True, slots=True)
class _Fault:
    cause: GroupCause
    evidence: str
    remedy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """`launch_hooks` and `suspended` by Auto Scaling group, `users` the deployment groups that name it."""

    launch_hooks: Mapping[AsgName, tuple[str, ...]]
    suspended: Mapping[AsgName, tuple[str, ...]]
    users: Mapping[AsgName, Sequence[GroupName]]


def _read_facts(groups: Sequence[Group], evidence: DeploymentEvidence, ports: Ports) -> _Facts:
    asgs = sorted(evidence.launch_hooks)
    return _Facts(
        launch_hooks=evidence.launch_hooks,
        suspended=skip_missing_asgs(ports.scaling.suspended, asgs) or {},
        users=groups_by_asg(groups),
    )


def _faults_of_asgs(group: Group, fleet: Fleet, facts: _Facts) -> Iterator[_Fault]:
    if not group.asgs:
        yield _Fault(
            GroupCause.NO_ASG,
            "the deployment group has no Auto Scaling group, so no release reaches a worker",
            with_note(
                set_asgs_command(fleet.application, group.name, ["ASG"]), "ASG: the group of its workers"
            ),
        )
    for asg in group.asgs:
        if asg in fleet.missing:
            rest = [other for other in group.asgs if other not in fleet.missing]
            yield _Fault(
                GroupCause.ASG_MISSING,
                f"the Auto Scaling group {asg} does not exist",
                with_note(set_asgs_command(fleet.application, group.name, rest or ["ASG"]), f"without {asg}"),
            )
            continue
        others = [name for name in facts.users[asg] if name != group.name]
        if others:
            rest = [other for other in group.asgs if other != asg]
            yield _Fault(
                GroupCause.ASG_SHARED,
                f"the Auto Scaling group {asg} is also in {', '.join(others)}: each deploys over the other",
                with_note(
                    set_asgs_command(fleet.application, group.name, rest or ["ASG"]),
                    f"or take {asg} out of {others[0]}",
                ),
            )
        hooks = facts.launch_hooks.get(asg)
        if hooks is not None and group.hook_names.get(asg) not in hooks:
            kept = [other for other in group.asgs if other != asg]
            both = (
                set_asgs_command(fleet.application, group.name, kept),
                set_asgs_command(fleet.application, group.name, group.asgs),
            )
            yield _Fault(
                GroupCause.LAUNCH_HOOK_MISSING,
                f"the Auto Scaling group {asg} lacks CodeDeploy's launch hook: new workers get no version",
                " && ".join(both),
            )
        if "Launch" in facts.suspended.get(asg, ()):
            yield _Fault(
                GroupCause.LAUNCH_SUSPENDED,
                f"the process Launch of the Auto Scaling group {asg} is suspended: lost workers are not replaced",
                shell_command(
                    *("aws", "autoscaling", "resume-processes", "--auto-scaling-group-name", asg),
                    *("--scaling-processes", "Launch"),
                ),
            )


def set_asgs_command(application: ApplicationName, group: GroupName, asgs: Sequence[str]) -> str:
    """Sets the deployment group's Auto Scaling groups to exactly these.

    Removing and adding one makes CodeDeploy restore its launch hook.
    Source: CodeDeploy guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
    """
    return shell_command(
        *("aws", "deploy", "update-deployment-group", "--application-name", application),
        *("--current-deployment-group-name", group, "--auto-scaling-groups", *asgs),
    )


def _launch_loop(view: GroupView, missing: Mapping[Version, str], ports: Ports) -> Iterator[_Fault]:
    """The last launches all failed: each new instance is terminated and replaced, and fails too."""
    last = next((d for d in view.deployments if d.deployment_id == view.group.last_attempt), None)
    # In a loop the last attempt is mostly in progress: each failure is followed by the next launch.
    if last is None or last.creator not in AT_LAUNCH or last.status is DeploymentStatus.SUCCEEDED:
        return
    failed = _failed_launches(view, ports)
    if len(failed) < LAUNCHES_IN_A_ROW:
        return
    newest, first = failed[0], failed[-1]
    version = view.version_brought_by(newest)
    targets = ports.deployments.targets(newest.deployment_id)
    why = str(targets[0].failure_summary) if targets else newest.error_message or "no target"
    number = f"{len(failed)} or more" if len(failed) == _DEPLOYMENTS_SEARCHED else f"{len(failed)}"
    what = f"{number} launches in a row failed with {version or 'another revision'}"
    yield _Fault(
        GroupCause.LAUNCH_LOOP,
        f"{what} since {first.created_at:%Y-%m-%d %H:%MZ}; the last ({newest.deployment_id}): {why}",
        _replace_version(view, missing),
    )


def _is_failed_launch(deployment: Deployment) -> bool:
    return deployment.creator in AT_LAUNCH and deployment.status is DeploymentStatus.FAILED


def _failed_launches(view: GroupView, ports: Ports) -> list[Deployment]:
    """The newest first, back to the last deployment that succeeded."""
    failed = []
    for deployment in ports.deployments.list_for_group(
        view.application, view.group.name, most=_DEPLOYMENTS_SEARCHED
    ):
        if deployment.status is DeploymentStatus.SUCCEEDED:
            break
        if _is_failed_launch(deployment):
            failed.append(deployment)
    return failed


def _missing_artifacts(views: Mapping[GroupName, GroupView], artifacts: Artifacts) -> dict[Version, str]:
    """The versions that groups need, or can go back to, whose artifact is not there or damaged: what is wrong."""
    needed = {v for view in views.values() for v in (*_versions_needed(view), _version_before(view)) if v}
    application = next((view.application for view in views.values()), None)
    found: dict[Version, str] = {}
    for version in sorted(needed):
        assert application is not None  # noqa: S101 - there is a view
        try:
            if artifacts.find(application, version) is None:
                found[version] = f"{version} is not published"
        except (ArtifactDamaged, RecordUnreadable) as error:
            found[version] = error.message
    return found


def _versions_needed(view: GroupView) -> list[Version]:
    """What a release or a repair would deploy, and what CodeDeploy deploys to new workers."""
    revision = view.group.last_successful
    launched = version_of_key(revision.key, view.application) if revision is not None else None
    wanted = view.desired.version if view.desired is not None else None
    return [version for version in dict.fromkeys((wanted, launched)) if version is not None]


def _artifact_faults(view: GroupView, missing: Mapping[Version, str]) -> Iterator[_Fault]:
    for version in _versions_needed(view):
        if version in missing:
            yield _Fault(
                GroupCause.ARTIFACT_MISSING,
                f"{missing[version]}; a worker launched now gets no version",
                _replace_version(view, missing),
            )


def _version_before(view: GroupView) -> Version | None:
    """The version verified in the group before the desired one."""
    desired = view.desired
    if not isinstance(desired, DesiredState) or desired.previous_verified == desired.version:
        return None
    return desired.previous_verified


def _replace_version(view: GroupView, missing: Mapping[Version, str]) -> str:
    """Back to the version before, if its artifact is there; else a new one."""
    before, group = _version_before(view), only(view.group.name)
    if before is not None and before not in missing:
        back = shell_command("deployctl", "rollback", "--to", before, "--group", group)
        return with_note(back, "or release a fixed build under a new version name")
    release = shell_command("deployctl", "release", "NEXT", "--group", group)
    return with_note(release, "NEXT: a build with a new version name")

"""Logs: the failed targets of a release, with their events and output. Reads only."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from deployctl.config.settings import Settings
from deployctl.errors import Failed, UsageError
from deployctl.execute.journal_reader import read_journal
from deployctl.flows.find_release import ReleaseUnknown, find_release
from deployctl.model.deployment import Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.release import WorkerOutcome
from deployctl.model.release_record import GroupLogs, ReleaseLogs, ReleaseRecord
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.plan.release import select_groups
from deployctl.ports import Ports

GROUPS_AT_ONCE = 8

_FINE = (WorkerVerdict.VERIFIED, WorkerVerdict.EXCUSED)
_ENDED_BADLY = (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)
_SHOWN = (TargetStatus.FAILED, TargetStatus.SKIPPED, TargetStatus.UNKNOWN)

Deployments = Mapping[DeploymentId, Deployment]


def logs(settings: Settings, ports: Ports, *, asked: str, globs: Sequence[str] = ()) -> ReleaseLogs:
    """The failed targets of each unverified group or, with `globs`, of every group that matches.

    Raises: ReleaseUnknown, NoGroupMatches, RecordUnreadable.
    """
    release_id = find_release(settings.application, ports, asked, verb="logs")
    record = read_journal(release_id, ports.journal.entries(release_id))
    if record is None or not record.groups:
        why = f"the journal of {release_id} names no group"
        raise ReleaseUnknown(why, noun=asked, remedy="deployctl history   # the releases there are")
    names = select_groups(record.groups, globs, application=settings.application)
    likely = [g for g in sorted(names) if globs or _may_have_failed(record, g)]
    ids = [i for g in likely if (i := _deployment_id(record, g)) is not None]
    deployments = ports.deployments.get_many(ids) if ids else {}
    wanted = [g for g in likely if globs or not _is_fine_so_far(record, g, deployments)]
    with ThreadPoolExecutor(GROUPS_AT_ONCE, thread_name_prefix="logs") as pool:
        groups = tuple(pool.map(lambda g: _read(record, g, deployments, ports), wanted))
    return ReleaseLogs(record=record, groups=groups, others=len(record.groups) - len(wanted))


def _may_have_failed(record: ReleaseRecord, group: GroupName) -> bool:
    """Whether the group may have failed targets: it is unverified and has a deployment."""
    outcome = record.outcomes.get(group)
    if outcome is None:
        return group in record.deployments
    return not outcome.verdict.is_verified and outcome.verdict is not Verdict.NOT_STARTED


def _is_fine_so_far(record: ReleaseRecord, group: GroupName, deployments: Deployments) -> bool:
    """Whether it has no verdict yet and its deployment has no failures."""
    deployment = deployments.get(_deployment_id(record, group) or DeploymentId(""))
    if group in record.outcomes or deployment is None:
        return False
    counts = deployment.counts
    return not (counts.failed or counts.skipped or deployment.status in _ENDED_BADLY)


def _deployment_id(record: ReleaseRecord, group: GroupName) -> DeploymentId | None:
    outcome, started = record.outcomes.get(group), record.deployments.get(group, ())
    return (outcome.deployment_id if outcome else None) or (started[-1] if started else None)


def _read(record: ReleaseRecord, group: GroupName, deployments: Deployments, ports: Ports) -> GroupLogs:
    outcome, deployment_id = record.outcomes.get(group), _deployment_id(record, group)
    deployment = deployments.get(deployment_id) if deployment_id else None
    # Without a verdict it is unknown which targets failed.
    bad = [w for w in outcome.workers if w.verdict not in _FINE] if outcome else None
    targets: list[Target] = []
    unread = None
    if deployment is not None:
        try:
            targets = _targets(deployment, bad, ports)
        except (Failed, UsageError) as error:
            unread = error.message
    elif deployment_id is not None:
        unread = f"CodeDeploy no longer knows {deployment_id}"
    known = {t.instance_id for t in targets}
    versions = {g.group: g.version for g in record.intent.groups} if record.intent else {}
    # Targets whose script failed first, then those that did not start, then skipped ones.
    shown = [t for t in targets if t.status in _SHOWN]
    shown.sort(key=lambda t: (not t.has_failed_event, t.status is not TargetStatus.FAILED, t.instance_id))
    return GroupLogs(
        group=group,
        version=versions.get(group, record.version),
        outcome=outcome,
        deployment_id=deployment_id,
        deployment=deployment,
        targets=tuple(shown),
        elsewhere=tuple(w for w in bad or () if w.instance_id not in known),
        unread=unread,
    )


def _targets(deployment: Deployment, bad: Sequence[WorkerOutcome] | None, ports: Ports) -> list[Target]:
    """The targets of these workers, or all, from the deployment and its follow-on deployments."""
    if bad is None:
        every = (deployment.deployment_id, *deployment.follow_ons)
        return [target for i in every for target in ports.deployments.targets(i)]
    found: list[Target] = []
    missing = [w.instance_id for w in bad]
    for deployment_id in (deployment.deployment_id, *deployment.follow_ons):
        if missing:
            found += ports.deployments.targets(deployment_id, missing)
            known = {t.instance_id for t in found}
            missing = [i for i in missing if i not in known]
    return found

"""Explain: the timeline of one worker or group, its state and how to fix it. Reads only what concerns it."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches

from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.execute.journal_outcome import outcome_from_journal
from deployctl.execute.journal_reader import read_journal
from deployctl.flows.identity import new_snapshot_id
from deployctl.lake.snapshots import reconcile_rows
from deployctl.model.artifact import version_of_key
from deployctl.model.command import shell_command
from deployctl.model.deployment import Deployment, Target
from deployctl.model.fleet import TAG_GROUP, Activity, Fleet, Group, Instance
from deployctl.model.names import ApplicationName, AsgName, DeploymentId, InstanceId, ReleaseId
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.reconciliation import Reconciliation
from deployctl.model.release import ApplicationState, GroupOutcome
from deployctl.model.release_marker import release_id_in, repaired_release_id_in
from deployctl.model.timeline import DeploymentAttempt, GroupTimeline, ReleaseResult, WorkerTimeline
from deployctl.observe.fleet import skip_missing_asgs, with_detached
from deployctl.observe.group_findings import find_faults
from deployctl.observe.group_view import AT_LAUNCH
from deployctl.observe.snapshot import snapshot_of
from deployctl.ports import Ports

MAX_DEPLOYMENTS = 25
MAX_RELEASES = 4
MAX_NEAREST = 3
LONGEST_LAUNCH = timedelta(hours=1)
READS_AT_ONCE = 8

_INSTANCE = re.compile(r"i-[0-9a-f]*")


class UnknownWorkerOrGroup(UsageError, code="worker-or-group-unknown"):
    """The application has no worker or group of this name."""

    def __init__(
        self, application: ApplicationName, noun: str, nearest: Sequence[str], details: Sequence[str] = ()
    ) -> None:
        kind = "worker" if _INSTANCE.fullmatch(noun) else "worker or group"
        super().__init__(
            f"{application} has no {kind} {noun!r}",
            noun=noun,
            remedy=shell_command("deployctl", "explain", nearest[0])
            if nearest
            else "deployctl reconcile --csv   # lists all workers",
            details=(*((f"nearest: {', '.join(nearest)}",) if nearest else ()), *details),
        )


class InstanceNotInApplication(UsageError, code="instance-not-in-application"):
    """EC2 knows the instance, and it is no worker of the application."""


def explain(settings: Settings, ports: Ports, noun: str) -> WorkerTimeline | GroupTimeline:
    """The timeline of the worker or group `noun`; a worker's id may be a unique prefix.

    Raises: UnknownWorkerOrGroup, InstanceNotInApplication; what the services may.
    """
    state, _ = ports.states.read(settings.application)
    explainer = _Explainer(settings, ports, state, ports.deployments.groups(settings.application))
    if _INSTANCE.fullmatch(noun):
        return explainer.worker(InstanceId(noun))
    return explainer.group(noun)


@dataclass(frozen=True, slots=True)
class _Explainer:
    settings: Settings
    ports: Ports
    state: ApplicationState
    groups: Sequence[Group]

    def worker(self, instance_id: InstanceId) -> WorkerTimeline:
        instance = self.ports.fleet.instance(instance_id) or self._find_by_prefix(instance_id)
        group = self._group_of(instance)
        fleet = self._read_fleet(group)
        if not instance.asg:
            fleet = replace(fleet, detached=(instance,))
        deployments = self._deployments(group, instance)
        attempts = self._attempts(deployments, self._targets(deployments, instance))
        found = self._reconcile(fleet)
        results, omitted = self._results(group, attempts, instance.instance_id)
        return WorkerTimeline(
            application=self.settings.application,
            at=fleet.at,
            instance=instance,
            group=group,
            desired=self.state.groups.get(group.name),
            judged=next((w for w in found.workers if w.instance_id == instance.instance_id), None),
            activities=self._activities(group, instance),
            attempts=attempts,
            passages=results,
            omitted_releases=omitted,
        )

    def group(self, noun: str) -> GroupTimeline:
        group = self._find_group(noun)
        fleet = with_detached(self._read_fleet(group), self.ports)
        deployments = self._deployments(group)
        attempts = self._attempts(deployments, {})
        results, omitted = self._results(group, attempts)
        return GroupTimeline(
            application=self.settings.application,
            at=fleet.at,
            group=group,
            desired=self.state.groups.get(group.name),
            found=self._reconcile(fleet),
            attempts=attempts,
            passages=results,
            omitted_releases=omitted,
        )

    def _find_group(self, noun: str) -> Group:
        """By the deployment group's name, or that of its Auto Scaling group. Raises: UnknownWorkerOrGroup."""
        for group in self.groups:
            if group.name == noun:
                return group
        for group in self.groups:
            if noun in group.asgs:
                return group
        raise UnknownWorkerOrGroup(
            self.settings.application, noun, _nearest(noun, [g.name for g in self.groups])
        )

    def _group_of(self, instance: Instance) -> Group:
        """The deployment group of its Auto Scaling group; of a detached instance, the group of its tag.

        Raises: InstanceNotInApplication.
        """
        tagged = instance.tags.get(TAG_GROUP)
        of_asg = [g for g in self.groups if instance.asg in g.asgs] if instance.asg else list(self.groups)
        for group in of_asg:
            if group.name == tagged:
                return group
        if not of_asg or not instance.asg:
            where = (
                f"in the Auto Scaling group {instance.asg}" if instance.asg else "in no Auto Scaling group"
            )
            raise InstanceNotInApplication(
                f"{instance.instance_id} is {where},"
                f" and no deployment group of {self.settings.application} has that",
                noun=instance.instance_id,
                remedy="deployctl explain GROUP",
            )
        return of_asg[0]

    def _find_by_prefix(self, prefix: str) -> Instance:
        """The only worker whose id has this prefix. Raises: UnknownWorkerOrGroup."""
        asgs = sorted({asg for group in self.groups for asg in group.asgs})
        workers = {i.instance_id: i for i in self.ports.fleet.instances(asgs)} if asgs else {}
        fitting = [i for i in workers if i.startswith(prefix)]
        if len(fitting) == 1:
            return workers[fitting[0]]
        nearest = fitting or _nearest(prefix, sorted(workers))
        raise UnknownWorkerOrGroup(
            self.settings.application, prefix, nearest[:MAX_NEAREST], self._last_seen(InstanceId(prefix))
        )

    def _last_seen(self, instance_id: InstanceId) -> list[str]:
        """The last releases' results for an instance that EC2 no longer describes."""
        for release_id in self.ports.journal.release_ids()[:MAX_RELEASES]:
            for result, group in self._from_journal(release_id):
                for worker in group.workers:
                    if worker.instance_id == instance_id:
                        why = f": {worker.cause}" if worker.cause else ""
                        seen = f"in {release_id} of {result.version} it was a worker of {group.group}"
                        return [f"EC2 no longer describes it; {seen}, {worker.verdict.value}{why}"]
        return []

    def _read_fleet(self, group: Group) -> Fleet:
        missing: set[AsgName] = set()
        instances = skip_missing_asgs(self.ports.fleet.instances, sorted(group.asgs), missing) or []
        return Fleet(
            application=self.settings.application,
            at=self.ports.clock.now(),
            groups=(group,),
            instances=tuple(instances),
            missing=tuple(sorted(missing)),
        )

    def _reconcile(self, fleet: Fleet) -> Reconciliation:
        snapshot_id = new_snapshot_id(fleet.at)
        snapshot, evidence = snapshot_of(
            fleet, self.state, self.ports, bucket=self.settings.bucket, snapshot_id=snapshot_id
        )
        findings = find_faults(fleet, evidence, self.ports, groups=self.groups, snapshot_id=snapshot_id)
        return replace(reconcile_rows(snapshot), findings=findings)

    def _deployments(self, group: Group, instance: Instance | None = None) -> list[Deployment]:
        """The group's last deployments; with `instance`, those since its launch that may involve it."""
        found = self.ports.deployments.list_for_group(
            self.settings.application,
            group.name,
            since=instance.launched_at if instance is not None else None,
            most=MAX_DEPLOYMENTS,
        )
        return [d for d in reversed(found) if instance is None or _may_involve(d, instance)]

    def _targets(self, deployments: Sequence[Deployment], instance: Instance) -> dict[DeploymentId, Target]:
        def ask(deployment: Deployment) -> list[Target]:
            return self.ports.deployments.targets(deployment.deployment_id, [instance.instance_id])

        with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="targets") as pool:
            return {t.deployment_id: t for found in pool.map(ask, deployments) for t in found}

    def _attempts(
        self, deployments: Sequence[Deployment], targets: Mapping[DeploymentId, Target]
    ) -> tuple[DeploymentAttempt, ...]:
        marked = {d.deployment_id: release_id_in(d.description) for d in deployments}
        return tuple(
            DeploymentAttempt(
                deployment=d,
                version=version_of_key(d.revision.key, self.settings.application) if d.revision else None,
                release=marked[d.deployment_id] or (marked.get(d.follows) if d.follows else None),
                target=targets.get(d.deployment_id),
                is_partial=repaired_release_id_in(d.description) is not None
                or d.creator in AT_LAUNCH
                or d.follows is not None,
            )
            for d in deployments
        )

    def _activities(self, group: Group, instance: Instance) -> tuple[Activity, ...]:
        """The instance's activities in all its Auto Scaling groups, the oldest first."""
        asgs = sorted({*group.asgs, *([instance.asg] if instance.asg else [])})
        activities = self.ports.fleet.activities(asgs) if asgs else []
        own = [a for a in activities if a.instance_id == instance.instance_id]
        return tuple(sorted(own, key=lambda a: a.began_at))

    def _results(
        self, group: Group, attempts: Sequence[DeploymentAttempt], instance_id: InstanceId | None = None
    ) -> tuple[tuple[ReleaseResult, ...], int]:
        """The group's results in its last releases, the oldest first, and the number of omitted releases."""
        desired, in_progress = self.state.groups.get(group.name), self.state.in_progress
        known = {a.release for a in attempts if a.release is not None}
        known |= {desired.release} if desired is not None else set()
        known |= {in_progress.release} if in_progress is not None else set()
        if instance_id is None:
            # A release that did not start here has no deployment.
            known |= set(self.ports.journal.release_ids()[:MAX_RELEASES])
        found = []
        asked = sorted(known, reverse=True)[:MAX_RELEASES]
        for release_id in asked:
            for result, outcome in self._from_journal(release_id):
                if outcome.group == group.name:
                    of_worker = (w for w in outcome.workers if w.instance_id == instance_id)
                    found.append(replace(result, worker=next(of_worker, None)))
        return tuple(reversed(found)), len(known) - len(asked)

    def _from_journal(self, release_id: ReleaseId) -> list[tuple[ReleaseResult, GroupOutcome]]:
        """Each group's result in a release; nothing if its journal cannot be read."""
        try:
            record = read_journal(release_id, self.ports.journal.entries(release_id))
        except RecordUnreadable:
            return []
        if record is None or record.intent is None:
            return []
        intent = record.intent
        outcome = outcome_from_journal(intent, record)
        return [
            (
                ReleaseResult(
                    release=release_id,
                    kind=intent.kind,
                    version=group.version,
                    actor=intent.actor,
                    began_at=intent.began_at,
                    verdict=group.verdict,
                    reason=group.reason,
                    ended_at=group.finished_at,
                ),
                group,
            )
            for group in outcome.groups
        ]


def _may_involve(deployment: Deployment, instance: Instance) -> bool:
    """CodeDeploy's launch deployments have one instance each, and start soon after its launch."""
    at_launch = deployment.creator in AT_LAUNCH
    return not at_launch or deployment.created_at - instance.launched_at < LONGEST_LAUNCH


def _nearest(noun: str, names: Sequence[str]) -> list[str]:
    """Similar names, and names that contain it."""
    like = get_close_matches(noun, names, n=MAX_NEAREST, cutoff=0.6)
    within = [name for name in names if noun and noun in name]
    return list(dict.fromkeys([*like, *within]))[:MAX_NEAREST]

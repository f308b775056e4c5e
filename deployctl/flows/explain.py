"""Explain: one worker's story in order of time, or one group's, and what mends it. Reads only what concerns it."""

from __future__ import annotations

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
from deployctl.lake.local import reconcile_rows
from deployctl.model.artifact import version_of_key
from deployctl.model.deployment import Deployment, Target
from deployctl.model.fleet import TAG_GROUP, Activity, Fleet, Group, Instance
from deployctl.model.names import ApplicationName, AsgName, DeploymentId, InstanceId, ReleaseId
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.reconciliation import Reconciliation
from deployctl.model.release import ApplicationState, GroupOutcome
from deployctl.model.release_marker import release_id_in, repaired_release_id_in
from deployctl.model.timeline import DeploymentAttempt, GroupTimeline, ReleaseResult, WorkerTimeline
from deployctl.observe.fleet import with_detached
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
            remedy=f"deployctl explain {nearest[0]}"
            if nearest
            else "deployctl reconcile --csv   # lists all workers",
            details=(*((f"nearest: {', '.join(nearest)}",) if nearest else ()), *details),
        )


class InstanceNotInApplication(UsageError, code="instance-not-in-application"):
    """EC2 knows the instance, and it is no worker of the application."""

    def __init__(self, application: ApplicationName, instance: Instance) -> None:
        where = f"in the Auto Scaling group {instance.asg}" if instance.asg else "in no Auto Scaling group"
        super().__init__(
            f"{instance.instance_id} is {where}, and no deployment group of {application} has that",
            noun=instance.instance_id,
            remedy="deployctl explain GROUP",
        )


def explain(settings: Settings, ports: Ports, noun: str) -> WorkerTimeline | GroupTimeline:
    """The story of the worker or group of this name (or of the only worker whose id begins so).

    Raises: NounUnknown, InstanceElsewhere; what the services may.
    """
    state, _ = ports.states.read(settings.application)
    teller = _Explainer(settings, ports, state, ports.deployments.groups(settings.application))
    if _INSTANCE.fullmatch(noun):
        return teller.worker(InstanceId(noun))
    return teller.group(noun)


@dataclass(frozen=True, slots=True)
class _Explainer:
    settings: Settings
    ports: Ports
    state: ApplicationState
    groups: Sequence[Group]

    def worker(self, instance_id: InstanceId) -> WorkerTimeline:
        instance = self.ports.fleet.instance(instance_id) or self._the_only_one(instance_id)
        group = self._group_of(instance)
        fleet = self._see(group)
        if not instance.asg:
            fleet = replace(fleet, detached=(instance,))
        deployments = self._deployments(group, instance)
        attempts = self._attempts(deployments, self._targets(deployments, instance))
        found = self._judged(fleet)
        passages, untold = self._passages(group, attempts, instance.instance_id)
        return WorkerTimeline(
            application=self.settings.application,
            at=fleet.at,
            instance=instance,
            group=group,
            desired=self.state.groups.get(group.name),
            judged=next((w for w in found.workers if w.instance_id == instance.instance_id), None),
            activities=self._activities(group, instance),
            attempts=attempts,
            passages=passages,
            omitted_releases=untold,
        )

    def group(self, noun: str) -> GroupTimeline:
        group = self._named(noun)
        fleet = with_detached(self._see(group), self.ports)
        deployments = self._deployments(group)
        attempts = self._attempts(deployments, {})
        passages, untold = self._passages(group, attempts)
        return GroupTimeline(
            application=self.settings.application,
            at=fleet.at,
            group=group,
            desired=self.state.groups.get(group.name),
            found=self._judged(fleet),
            attempts=attempts,
            passages=passages,
            omitted_releases=untold,
            lacks_hook=self._lacks_hook(group),
        )

    def _named(self, noun: str) -> Group:
        """By the deployment group's name, or that of its Auto Scaling group. Raises: NounUnknown."""
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
        """The deployment group of its Auto Scaling group; of a detached one, that which it is tagged for.

        Raises: InstanceElsewhere.
        """
        tagged = instance.tags.get(TAG_GROUP)
        of_asg = [g for g in self.groups if instance.asg in g.asgs] if instance.asg else list(self.groups)
        for group in of_asg:
            if group.name == tagged:
                return group
        if not of_asg or not instance.asg:
            raise InstanceNotInApplication(self.settings.application, instance)
        return of_asg[0]

    def _the_only_one(self, prefix: str) -> Instance:
        """The only worker whose id begins so. Raises: NounUnknown, which names the nearest and who last saw it."""
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
        """What the journals of the last releases say of an instance that EC2 no longer describes."""
        for release_id in self.ports.journal.release_ids()[:MAX_RELEASES]:
            for passage, group in self._from_journal(release_id):
                for worker in group.workers:
                    if worker.instance_id == instance_id:
                        why = f": {worker.cause}" if worker.cause else ""
                        seen = f"in {release_id} of {passage.version} it was a worker of {group.group}"
                        return [f"EC2 no longer describes it; {seen}, {worker.verdict.value}{why}"]
        return []

    def _see(self, group: Group) -> Fleet:
        instances = self.ports.fleet.instances(sorted(group.asgs)) if group.asgs else []
        return Fleet(
            application=self.settings.application,
            at=self.ports.clock.now(),
            groups=(group,),
            instances=tuple(instances),
        )

    def _judged(self, fleet: Fleet) -> Reconciliation:
        snapshot, _ = snapshot_of(
            fleet,
            self.state,
            self.ports,
            bucket=self.settings.bucket,
            snapshot_id=new_snapshot_id(fleet.at),
        )
        return reconcile_rows(snapshot)

    def _deployments(self, group: Group, instance: Instance | None = None) -> list[Deployment]:
        """The group's last deployments; of one worker, those since its launch that may have reached it."""
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
                is_partial=_is_partial(d),
            )
            for d in deployments
        )

    def _activities(self, group: Group, instance: Instance) -> tuple[Activity, ...]:
        """Those that name it, in its Auto Scaling group and in those of its deployment group, oldest first."""
        asgs = sorted({*group.asgs, *([instance.asg] if instance.asg else [])})
        told = self.ports.fleet.activities(asgs) if asgs else []
        about = [a for a in told if a.instance_id == instance.instance_id]
        return tuple(sorted(about, key=lambda a: a.began_at))

    def _lacks_hook(self, group: Group) -> tuple[AsgName, ...]:
        hooks = self.ports.fleet.launch_hooks(group.asgs) if group.asgs else {}
        return tuple(a for a in group.asgs if group.hook_names.get(a) not in hooks.get(a, ()))

    def _passages(
        self, group: Group, attempts: Sequence[DeploymentAttempt], instance_id: InstanceId | None = None
    ) -> tuple[tuple[ReleaseResult, ...], int]:
        """How the last releases that concern the group came out in it, oldest first, and how many are left out."""
        desired, in_progress = self.state.groups.get(group.name), self.state.in_progress
        known = {a.release for a in attempts if a.release is not None}
        known |= {desired.release} if desired is not None else set()
        known |= {in_progress.release} if in_progress is not None else set()
        if instance_id is None:
            # A release that never began here left no deployment.
            known |= set(self.ports.journal.release_ids()[:MAX_RELEASES])
        found = []
        asked = sorted(known, reverse=True)[:MAX_RELEASES]
        for release_id in asked:
            for passage, outcome in self._from_journal(release_id):
                if outcome.group == group.name:
                    of_worker = (w for w in outcome.workers if w.instance_id == instance_id)
                    found.append(replace(passage, worker=next(of_worker, None)))
        return tuple(reversed(found)), len(known) - len(asked)

    def _from_journal(self, release_id: ReleaseId) -> list[tuple[ReleaseResult, GroupOutcome]]:
        """What a release's journal says of each of its groups; nothing where it cannot be read."""
        try:
            record = read_journal(release_id, self.ports.journal.entries(release_id))
        except RecordUnreadable:
            return []
        if record is None or record.intent is None:
            return []
        intent = record.intent
        outcome = outcome_from_journal(intent, record)
        ends = {name: o.finished_at for name, o in record.outcomes.items()}
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
                    ended_at=ends.get(group.group),
                ),
                group,
            )
            for group in outcome.groups
        ]


def _may_involve(deployment: Deployment, instance: Instance) -> bool:
    """A deployment that CodeDeploy makes at a launch is of one instance, and comes soon after it."""
    at_launch = deployment.creator in AT_LAUNCH
    return not at_launch or deployment.created_at - instance.launched_at < LONGEST_LAUNCH


def _is_partial(deployment: Deployment) -> bool:
    repairs = repaired_release_id_in(deployment.description) is not None
    return repairs or deployment.creator in AT_LAUNCH or deployment.follows is not None


def _nearest(noun: str, names: Sequence[str]) -> list[str]:
    """Names that are like it, or have it in them."""
    like = get_close_matches(noun, names, n=MAX_NEAREST, cutoff=0.6)
    within = [name for name in names if noun and noun in name]
    return list(dict.fromkeys([*like, *within]))[:MAX_NEAREST]

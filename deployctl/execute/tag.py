"""Tags the workers that a release has seen succeed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from deployctl.execute.rollout import GroupRollout
from deployctl.model.event import Event, WarningRaised, WorkersTagged
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_RELEASE, TAG_VERSION
from deployctl.model.names import GroupName, InstanceId, Version
from deployctl.model.release import ReleasePlan
from deployctl.ports import Ports


class Tagger:
    def __init__(self, plan: ReleasePlan, ports: Ports, emit: Callable[[Event], None]) -> None:
        self._plan = plan
        self._ports = ports
        self._emit = emit

    def tag(self, rollouts: Sequence[GroupRollout]) -> None:
        """Tag every worker newly seen to succeed, one call a version. Workers tag themselves too; this makes sure."""
        due: dict[InstanceId, GroupRollout] = {i: r for r in rollouts for i in r.untagged()}
        if not due:
            return
        now = self._ports.clock.now()
        by_version: dict[Version, list[InstanceId]] = {}
        for instance_id, rollout in sorted(due.items()):
            by_version.setdefault(rollout.plan.version, []).append(instance_id)
        done: list[InstanceId] = []
        for version, instance_ids in by_version.items():
            tagged = self._ports.tags.tag(instance_ids, self._tags(version, now))
            done += tagged.done
            for instance_id, why in (tagged.refused or {}).items():
                self._warn(f"{instance_id} cannot be tagged: {why}", due[instance_id].plan.group)
        for instance_id, rollout in due.items():
            rollout.tagged.add(instance_id)
        if done:
            self._emit(WorkersTagged(at=now, instance_ids=tuple(done)))

    def _tags(self, version: Version, now: datetime) -> dict[str, str]:
        return {
            TAG_VERSION: version,
            TAG_RELEASE: self._plan.release_id,
            TAG_DEPLOYED_AT: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _warn(self, message: str, group: GroupName) -> None:
        self._emit(WarningRaised(at=self._ports.clock.now(), message=message, group=group))

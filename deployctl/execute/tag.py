"""Tags the workers on which a release succeeded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from deployctl.execute.rollout import GroupRollout
from deployctl.execute.run_context import RunContext
from deployctl.model.event import WorkersTagged
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_RELEASE, TAG_VERSION
from deployctl.model.names import InstanceId, Version


class Tagger:
    def __init__(self, run: RunContext) -> None:
        self._run = run

    def tag(self, rollouts: Sequence[GroupRollout]) -> None:
        """Tag every worker that newly succeeded, one call a version, in case the worker did not tag itself."""
        due: dict[InstanceId, GroupRollout] = {i: r for r in rollouts for i in r.untagged()}
        if not due:
            return
        now = self._run.now()
        by_version: dict[Version, list[InstanceId]] = {}
        for instance_id, rollout in sorted(due.items()):
            by_version.setdefault(rollout.plan.version, []).append(instance_id)
        done: list[InstanceId] = []
        for version, instance_ids in by_version.items():
            tagged = self._run.ports.tags.tag(instance_ids, self._tags(version, now))
            done += tagged.done
            for instance_id, why in (tagged.refused or {}).items():
                self._run.warn(f"{instance_id} cannot be tagged: {why}", due[instance_id].plan.group)
        for instance_id, rollout in due.items():
            rollout.tagged.add(instance_id)
        if done:
            self._run.emit(WorkersTagged(at=now, instance_ids=tuple(done)))

    def _tags(self, version: Version, now: datetime) -> dict[str, str]:
        return {
            TAG_VERSION: version,
            TAG_RELEASE: self._run.plan.release_id,
            TAG_DEPLOYED_AT: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

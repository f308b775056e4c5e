"""The differences between two plans of the same release: any of them invalidates a saved plan.

Times, release ids and actors do not count, and neither does publishing the same bundle in the meantime.
"""

from collections import defaultdict
from collections.abc import Iterator

from deployctl.model.names import GroupName, Version
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan
from deployctl.model.text import first_names

_STEPS = {
    GroupAction.DEPLOY: "to be deployed",
    GroupAction.EMPTY: "without workers in service",
    GroupAction.DONE: "done already",
}


def diff_plans(saved: ReleasePlan, fresh: ReleasePlan) -> list[str]:
    """Each change as a sentence: the release's own first, then by group. Empty if nothing changed."""
    found = [*_release_changes(saved, fresh), *_bundle_changes(saved, fresh)]
    before, after = _by_group(saved), _by_group(fresh)
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(f"{name} was removed")
        elif name not in before:
            found.append(f"{name} is new")
        else:
            found += _group_changes(*before[name], *after[name])
    return found


def _by_group(plan: ReleasePlan) -> dict[GroupName, tuple[int, GroupPlan]]:
    """Each group with its wave's number."""
    return {g.group: (number, g) for number, wave in enumerate(plan.waves, start=1) for g in wave}


def _release_changes(saved: ReleasePlan, fresh: ReleasePlan) -> Iterator[str]:
    for what, was, now in (
        ("application", saved.application, fresh.application),
        ("kind", saved.kind.value, fresh.kind.value),
        ("version", saved.version, fresh.version),
    ):
        if was != now:
            yield f"the {what} is {now}, it was {was}"
    if fresh.resumes and not saved.resumes:
        yield f"{fresh.release_id} of {fresh.version} has started since"
    if saved.resumes and not fresh.resumes:
        yield f"the plan resumes {saved.release_id} of {saved.version}, which has finished"
    if saved.resumes and fresh.resumes and saved.release_id != fresh.release_id:
        yield f"the plan resumes {saved.release_id}, but {fresh.release_id} is in progress"
    if saved.policy != fresh.policy:
        yield "the policy changed: on_failure, max_failed_total, bake, alarms, progress_deadline or suspend_scaling"


def _bundle_changes(saved: ReleasePlan, fresh: ReleasePlan) -> Iterator[str]:
    before = {a.manifest.version: a.manifest for a in saved.artifacts}
    for artifact in fresh.artifacts:
        now = artifact.manifest
        was = before.get(now.version)
        if was is not None and was.digest != now.digest:
            yield (
                f"the bundle of {now.version} changed: sha256 {now.digest[:12]} from commit"
                f" {(now.commit or 'none')[:12]}, it was {was.digest[:12]} from {(was.commit or 'none')[:12]}"
            )


def _group_changes(was_in: int, was: GroupPlan, now_in: int, now: GroupPlan) -> Iterator[str]:
    name = now.group
    if was_in != now_in:
        yield f"{name} is in wave {now_in}, it was in wave {was_in}"
    if was.asgs != now.asgs:
        before, after = first_names(was.asgs) or "none", first_names(now.asgs) or "none"
        yield f"{name} has Auto Scaling groups {after}, it had {before}"
    if was.step != now.step:
        yield f"{name} is {_STEPS[now.step]}, it was {_STEPS[was.step]}"
    for what, before, after in (
        ("target", was.version, now.version),
        ("strategy", str(was.strategy), str(now.strategy)),
        ("deployment configuration", was.config.name, now.config.name),
        ("failure budget", str(was.max_failed), str(now.max_failed)),
        ("desired version", was.desired_before or "none", now.desired_before or "none"),
        ("rollback target", was.previous_verified or "none", now.previous_verified or "none"),
        ("verdict", was.known_verdict or "none", now.known_verdict or "none"),
    ):
        if before != after:
            yield f"{name}: its {what} is {after}, it was {before}"
    if was.auto_updates_new_instances != now.auto_updates_new_instances:
        no_longer = "" if now.auto_updates_new_instances else "no longer "
        yield f"{name}: CodeDeploy {no_longer}deploys to workers launched during the deployment"
    yield from _worker_changes(was, now)


def _worker_changes(was: GroupPlan, now: GroupPlan) -> Iterator[str]:
    before = {w.instance_id: w.version for w in was.workers}
    after = {w.instance_id: w.version for w in now.workers}
    if gained := sorted(after.keys() - before.keys()):
        yield f"{now.group} gained {first_names(gained)}"
    if lost := sorted(before.keys() - after.keys()):
        yield f"{now.group} lost {first_names(lost)}"
    moved: dict[tuple[Version | None, Version | None], list[str]] = defaultdict(list)
    for instance_id in sorted(before.keys() & after.keys()):
        if before[instance_id] != after[instance_id]:
            moved[before[instance_id], after[instance_id]].append(instance_id)
    for (old, new), ids in moved.items():
        yield f"{now.group}: {first_names(ids)} on {new or 'no version'} now, on {old or 'no version'} before"

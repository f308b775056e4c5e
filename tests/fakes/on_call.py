"""Somebody on call who knows nothing but what `deployctl reconcile` prints, and types it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from deployctl.model.cause import Category, Cause
from deployctl.model.release import StopKind
from tests.fakes.releasing import Desk, Wire

#: After what is typed, minutes until the fleet has settled.
SETTLE_S = 400.0
ROUNDS = 4


class Read(Protocol):
    """What somebody reads of a worker."""

    @property
    def category(self) -> Category: ...

    @property
    def cause(self) -> Cause | None: ...

    @property
    def remedy(self) -> str | None: ...


@dataclass(slots=True, kw_only=True)
class Drill:
    """What was read and typed, round by round, until nothing was behind any more."""

    name: str
    rounds: list[tuple[dict[str, int], list[str]]] = field(default_factory=list)
    is_mended: bool = False

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {'mended' if self.is_mended else 'NOT MENDED'} in {len(self.rounds)} round(s)"
        ]
        for said, typed in self.rounds:
            words = ", ".join(f"{number} {word}" for word, number in said.items())
            lines += [f"  reconcile: {words}", *(f"  $ {line}" for line in typed)]
        return "\n".join(lines)


def on_call(name: str, look: Callable[[], Sequence[Read]], type_in: Callable[[str], None]) -> Drill:
    """Look, type every line that is named, each once and those for the whole group last; until nothing is behind."""
    drill = Drill(name=name)
    for _ in range(ROUNDS):
        behind = [w for w in look() if w.category.is_drift]
        if not behind:
            drill.is_mended = True
            break
        said: dict[str, int] = {}
        for worker in behind:
            word = f"{worker.category.value}/{worker.cause.value if worker.cause else '?'}"
            said[word] = said.get(word, 0) + 1
        lines = list(dict.fromkeys(w.remedy for w in behind if w.remedy is not None))
        lines.sort(key=lambda line: line.startswith("deployctl"))
        drill.rounds.append((said, lines))
        for line in lines:
            type_in(line)
    return drill


class Keyboard:
    """Types a shell line, word by word as a shell splits it, at a desk in this process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def type_in(self, line: str) -> None:
        words = shlex.split(line, comments=True)
        match words:
            case ["deployctl", "release", version, *options]:
                self._desk.release(version, *_values(options, "--group"), redeploy="--redeploy" in options)
            case ["deployctl", "rollback", *options]:
                (to,) = _values(options, "--to")
                self._desk.rollback(*_values(options, "--group"), to=to)
            case ["deployctl", "attach"]:
                self._desk.attach()
            case ["aws", service, verb, *options]:
                self._aws(f"{service} {verb}", options)
            case _:
                raise ValueError(f"no such command: {line}")
        self._desk.cloud.clock.sleep(SETTLE_S)

    def _aws(self, command: str, options: Sequence[str]) -> None:
        cloud = self._desk.cloud
        match command:
            case "ec2 create-tags":
                (tags,) = _values(options, "--tags")
                written = {tag["Key"]: tag["Value"] for tag in json.loads(tags)}
                cloud.fleet.instances.tag(_values(options, "--resources"), written)
            case "ec2 terminate-instances":
                cloud.fleet.terminate(_values(options, "--instance-ids"))
            case "autoscaling terminate-instance-in-auto-scaling-group":
                cloud.fleet.take_out(*_values(options, "--instance-id"), shrink=False)
            case "autoscaling exit-standby":
                cloud.bring_back(*_values(options, "--instance-ids"))
            case _:
                raise ValueError(f"no such command: aws {command}")


def _values(options: Sequence[str], flag: str) -> list[str]:
    return [value for name, value in pairwise(options) if name == flag]


def fleets() -> Mapping[str, Callable[[], Desk]]:
    """Each trouble as it is found by whoever is called: a fleet of its own."""
    return {
        "the new version fails on one worker": _script_fails,
        "the first to fail ends the deployment": _stopped_early,
        "every version fails on one worker": _bad_worker,
        "an agent is silent": _agent_silent,
        "the stop script of the version before is broken": _stop_script_broken,
        "somebody stopped the deployment in the console": _stopped,
        "a worker was launched in the middle and not followed up": _launched_meanwhile,
        "a worker was launched after the release failed": _launched_after,
        "CodeDeploy's launch hook is missing": _hook_missing,
        "workers were launched into a group that was empty": _empty,
        "a worker was in Standby": _standby,
        "tags were edited, and others never written": _tags,
        "a worker was detached": _detached,
        "a worker was moved into another group": _moved,
        "somebody deployed the old version in the console": _outside,
        "somebody else's deployment held the group": _busy,
        "the release was killed in the middle": _killed,
        "a download failed": _download,
        "the release was stopped for a newer one, which never came": _superseded,
    }


def _desk(strategy: str = "all", **groups: int) -> Desk:
    return Desk(groups or {"audio": 2, "video": 4}, strategy=strategy)


def _script_fails() -> Desk:
    desk = _desk()
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[1], times=1, exit_code=3)
    desk.release()
    return desk


def _stopped_early() -> Desk:
    desk = _desk("one")
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[0], times=1)
    desk.release()
    return desk


def _bad_worker() -> Desk:
    desk = _desk()
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[1])
    desk.release()
    desk.rollback("video", to="v1")
    return desk


def _agent_silent() -> Desk:
    desk = _desk()
    desk.cloud.plant("agent-silent", instance=desk.cloud.instance_ids("video")[0])
    desk.release()
    return desk


def _stop_script_broken() -> Desk:
    desk = _desk()
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[2], event="ApplicationStop")
    desk.release()
    return desk


def _stopped() -> Desk:
    desk = _desk("one")
    desk.cloud.at(100, lambda: desk.cloud.stop_in_console("video"))
    desk.release()
    return desk


def _launched_meanwhile() -> Desk:
    desk = _desk("one")
    names = {"applicationName": "shop", "currentDeploymentGroupName": "video"}
    desk.cloud.codedeploy.update_deployment_group({**names, "outdatedInstancesStrategy": "IGNORE"})
    desk.cloud.at(30, lambda: desk.cloud.scale("video", +1))
    desk.release()
    return desk


def _launched_after() -> Desk:
    desk = _stopped()
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(SETTLE_S)
    return desk


def _hook_missing() -> Desk:
    desk = _desk()
    desk.release()
    desk.cloud.fleet.groups["asg-video"].hooks.clear()
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(SETTLE_S)
    return desk


def _empty() -> Desk:
    desk = _desk(audio=0, video=2)
    desk.release()
    desk.cloud.scale("audio", +2)
    desk.cloud.clock.sleep(SETTLE_S)
    return desk


def _standby() -> Desk:
    desk = _desk()
    desk.cloud.set_aside(desk.cloud.instance_ids("video")[1])
    desk.cloud.clock.sleep(60)
    desk.release()
    return desk


def _tags() -> Desk:
    desk = _desk()
    one, two, three, _ = desk.cloud.instance_ids("video")
    desk.cloud.plant("no-self-tag", instance=three)
    desk.cloud.full.add(three)
    desk.release()
    desk.cloud.full.clear()
    desk.cloud.tag([one], {"deployctl:version": "v1"})
    desk.cloud.tag([two], {"deployctl:group": "audio"})
    desk.cloud.clock.sleep(60)
    return desk


def _detached() -> Desk:
    desk = _desk()
    desk.cloud.detach(desk.cloud.instance_ids("video")[0])
    desk.cloud.clock.sleep(60)
    desk.release()
    return desk


def _moved() -> Desk:
    desk = _desk()
    desk.release()
    worker = desk.cloud.instance_ids("video")[0]
    desk.cloud.detach(worker)
    desk.cloud.clock.sleep(60)
    desk.cloud.attach("audio", worker)
    desk.cloud.clock.sleep(60)
    return desk


def _outside() -> Desk:
    desk = _desk()
    desk.release()
    desk.cloud.deploy("video", "v1")
    desk.cloud.clock.sleep(SETTLE_S)
    return desk


def _busy() -> Desk:
    desk = _desk()
    desk.cloud.plant(
        "hook-stuck", instance=desk.cloud.instance_ids("video")[0], event="BeforeInstall", times=1
    )
    desk.cloud.deploy("video", "v1")
    desk.release()
    desk.cloud.clock.sleep(3_600)
    return desk


def _killed() -> Desk:
    """Just before the first deployment was to be created."""
    whole = Wire()
    _desk("one").release(wire=whole)
    desk = _desk("one")
    desk.killed_at(whole.calls.index("deployments.create") + 1)
    desk.cloud.clock.sleep(SETTLE_S)
    return desk


def _download() -> Desk:
    desk = _desk()
    desk.cloud.plant(
        "bundle-fails", instance=desk.cloud.instance_ids("video")[3], times=1, message="Access Denied"
    )
    desk.release()
    return desk


def _superseded() -> Desk:
    desk = _desk("one")
    desk.cloud.at(60, lambda: desk.ask_to_stop(StopKind.SUPERSEDE))
    desk.release()
    return desk

"""An operator on call who knows only what `deployctl reconcile` prints, and types it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from deployctl.model.cause import Category, Cause
from deployctl.model.release import StopKind
from tests.fakes.releasing import CallRecorder, ReleaseHarness

#: After what is typed, minutes until the fleet has settled.
SETTLE_S = 400.0
ROUNDS = 4


class Read(Protocol):
    """What an operator reads about a worker."""

    @property
    def category(self) -> Category: ...

    @property
    def cause(self) -> Cause | None: ...

    @property
    def remedy(self) -> str | None: ...


@dataclass(slots=True, kw_only=True)
class OnCallDrill:
    """What was read and typed, round by round, until nothing was behind any more."""

    name: str
    rounds: list[tuple[dict[str, int], list[str]]] = field(default_factory=list)
    is_fixed: bool = False

    def __str__(self) -> str:
        lines = [f"{self.name}: {'fixed' if self.is_fixed else 'NOT FIXED'} in {len(self.rounds)} round(s)"]
        for said, typed in self.rounds:
            words = ", ".join(f"{number} {word}" for word, number in said.items())
            lines += [f"  reconcile: {words}", *(f"  $ {line}" for line in typed)]
        return "\n".join(lines)


def on_call(name: str, look: Callable[[], Sequence[Read]], type_in: Callable[[str], None]) -> OnCallDrill:
    """Look, type every line that is named, each once and those for the whole group last; until nothing is behind."""
    drill = OnCallDrill(name=name)
    for _ in range(ROUNDS):
        behind = [w for w in look() if w.category.is_drift]
        if not behind:
            drill.is_fixed = True
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


class Shell:
    """Types a shell line, word by word as a shell splits it, at a harness in this process."""

    def __init__(self, harness: ReleaseHarness) -> None:
        self._desk = harness

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


def fleets() -> Mapping[str, Callable[[], ReleaseHarness]]:
    """Each kind of drift as an operator on call finds it, in a fleet of its own."""
    return {
        "the new version fails on one worker": _script_fails,
        "the first to fail ends the deployment": _stopped_early,
        "every version fails on one worker": _bad_worker,
        "an agent is silent": _agent_silent,
        "the stop script of the version before is broken": _stop_script_broken,
        "a user stopped the deployment in the console": _stopped,
        "a worker was launched in the middle and not followed up": _launched_meanwhile,
        "a worker was launched after the release failed": _launched_after,
        "CodeDeploy's launch hook is missing": _hook_missing,
        "workers were launched into a group that was empty": _empty,
        "a worker was in Standby": _standby,
        "tags were edited, and others never written": _tags,
        "a worker was detached": _detached,
        "a worker was moved into another group": _moved,
        "a user deployed the old version in the console": _outside,
        "another deployment held the group": _busy,
        "the release was killed in the middle": _killed,
        "a download failed": _download,
        "the release was stopped for a newer one, which never came": _superseded,
    }


def _desk(strategy: str = "all", **groups: int) -> ReleaseHarness:
    return ReleaseHarness(groups or {"audio": 2, "video": 4}, strategy=strategy)


def _script_fails() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[1], times=1, exit_code=3)
    harness.release()
    return harness


def _stopped_early() -> ReleaseHarness:
    harness = _desk("one")
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[0], times=1)
    harness.release()
    return harness


def _bad_worker() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[1])
    harness.release()
    harness.rollback("video", to="v1")
    return harness


def _agent_silent() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.inject("agent-silent", instance=harness.cloud.instance_ids("video")[0])
    harness.release()
    return harness


def _stop_script_broken() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.inject(
        "hook-fails", instance=harness.cloud.instance_ids("video")[2], event="ApplicationStop"
    )
    harness.release()
    return harness


def _stopped() -> ReleaseHarness:
    harness = _desk("one")
    harness.cloud.at(100, lambda: harness.cloud.stop_in_console("video"))
    harness.release()
    return harness


def _launched_meanwhile() -> ReleaseHarness:
    harness = _desk("one")
    names = {"applicationName": "shop", "currentDeploymentGroupName": "video"}
    harness.cloud.codedeploy.update_deployment_group({**names, "outdatedInstancesStrategy": "IGNORE"})
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +1))
    harness.release()
    return harness


def _launched_after() -> ReleaseHarness:
    harness = _stopped()
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(SETTLE_S)
    return harness


def _hook_missing() -> ReleaseHarness:
    harness = _desk()
    harness.release()
    harness.cloud.fleet.groups["asg-video"].hooks.clear()
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(SETTLE_S)
    return harness


def _empty() -> ReleaseHarness:
    harness = _desk(audio=0, video=2)
    harness.release()
    harness.cloud.scale("audio", +2)
    harness.cloud.clock.sleep(SETTLE_S)
    return harness


def _standby() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.set_aside(harness.cloud.instance_ids("video")[1])
    harness.cloud.clock.sleep(60)
    harness.release()
    return harness


def _tags() -> ReleaseHarness:
    harness = _desk()
    one, two, three, _ = harness.cloud.instance_ids("video")
    harness.cloud.inject("no-self-tag", instance=three)
    harness.cloud.full.add(three)
    harness.release()
    harness.cloud.full.clear()
    harness.cloud.tag([one], {"deployctl:version": "v1"})
    harness.cloud.tag([two], {"deployctl:group": "audio"})
    harness.cloud.clock.sleep(60)
    return harness


def _detached() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.detach(harness.cloud.instance_ids("video")[0])
    harness.cloud.clock.sleep(60)
    harness.release()
    return harness


def _moved() -> ReleaseHarness:
    harness = _desk()
    harness.release()
    worker = harness.cloud.instance_ids("video")[0]
    harness.cloud.detach(worker)
    harness.cloud.clock.sleep(60)
    harness.cloud.attach("audio", worker)
    harness.cloud.clock.sleep(60)
    return harness


def _outside() -> ReleaseHarness:
    harness = _desk()
    harness.release()
    harness.cloud.deploy("video", "v1")
    harness.cloud.clock.sleep(SETTLE_S)
    return harness


def _busy() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.inject(
        "hook-stuck", instance=harness.cloud.instance_ids("video")[0], event="BeforeInstall", times=1
    )
    harness.cloud.deploy("video", "v1")
    harness.release()
    harness.cloud.clock.sleep(3_600)
    return harness


def _killed() -> ReleaseHarness:
    """Just before the first deployment was to be created."""
    whole = CallRecorder()
    _desk("one").release(wire=whole)
    harness = _desk("one")
    harness.killed_at(whole.calls.index("deployments.create") + 1)
    harness.cloud.clock.sleep(SETTLE_S)
    return harness


def _download() -> ReleaseHarness:
    harness = _desk()
    harness.cloud.inject(
        "bundle-fails", instance=harness.cloud.instance_ids("video")[3], times=1, message="Access Denied"
    )
    harness.release()
    return harness


def _superseded() -> ReleaseHarness:
    harness = _desk("one")
    harness.cloud.at(60, lambda: harness.ask_to_stop(StopKind.SUPERSEDE))
    harness.release()
    return harness

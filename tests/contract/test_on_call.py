"""The same over a sandbox: `deployctl` and `aws` in a shell, each line as `reconcile` prints it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployctl.errors import ExitCode
from deployctl.model.cause import Category, Cause
from tests.cli.conftest import Repository, make_repository
from tests.fakes.on_call import on_call

SETTLE_S = 2.0
STRATEGY = '\n[[groups]]\nmatch = "*"\nstrategy = "{strategy}"\n'


@dataclass(frozen=True)
class Scene:
    """Two groups of three workers on v1, and the person on call for them."""

    sandbox: object
    repository: Repository
    groups: tuple[str, ...]

    @property
    def group(self) -> str:
        """Whose trouble it is."""
        return self.groups[0]

    def workers(self) -> list[dict[str, str]]:
        return [w for w in self.sandbox.control.workers() if w["group"]]

    def of(self, group: str) -> list[str]:
        return [w["instance_id"] for w in self.workers() if w["group"] == group and w["state"] == "InService"]

    def aws(self, service: str):
        return self.sandbox.client(service)

    def inject(self, kind: str, **fields: object) -> None:
        self.sandbox.control.inject(kind, **fields)

    def release(self, code: ExitCode = ExitCode.DONE) -> None:
        self.repository.commit("another")
        done = self.repository.deployctl("release", "v2", "--quiet")
        assert done.code == code, done.stderr

    def settle(self) -> None:
        time.sleep(SETTLE_S)

    def look(self) -> list[_Read]:
        done = self.repository.deployctl("reconcile", "--json")
        assert done.code in (ExitCode.DONE, ExitCode.DRIFT), done.stderr
        return [_Read(w) for w in done.data["workers"]]

    def type_in(self, line: str) -> None:
        """In a shell, as it stands."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.repository.env['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.repository.folder,
            env={**self.repository.env, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        self.settle()


class _Read:
    """A worker as the JSON has it."""

    def __init__(self, worker: dict[str, object]) -> None:
        self.category, self.remedy = Category(worker["category"]), worker["remedy"]
        self.cause = Cause(worker["cause"]) if worker["cause"] else None


def _script_fails(scene: Scene) -> None:
    scene.inject("hook-fails", instance=scene.of(scene.group)[0], times=1, exit_code=3, message="no database")
    scene.release(ExitCode.FAILED)


def _agent_silent(scene: Scene) -> None:
    scene.inject("agent-silent", instance=scene.of(scene.group)[0])
    scene.release(ExitCode.FAILED)


def _stop_script(scene: Scene) -> None:
    scene.inject("hook-fails", instance=scene.of(scene.group)[0], event="ApplicationStop")
    scene.release(ExitCode.FAILED)


def _download(scene: Scene) -> None:
    scene.inject("bundle-fails", instance=scene.of(scene.group)[0], times=1, message="Access Denied")
    scene.release(ExitCode.FAILED)


def _hook_missing(scene: Scene) -> None:
    scene.release()
    autoscaling, asg = scene.aws("autoscaling"), f"shop-{scene.group}"
    for hook in autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=asg)["LifecycleHooks"]:
        autoscaling.delete_lifecycle_hook(
            AutoScalingGroupName=asg, LifecycleHookName=hook["LifecycleHookName"]
        )
    scene.sandbox.control.scale_out(scene.group, 1)
    scene.settle()


def _empty(scene: Scene) -> None:
    scene.sandbox.control.scale_in(scene.group, 3)
    scene.settle()
    scene.release()
    scene.sandbox.control.scale_out(scene.group, 2)
    scene.settle()


def _standby(scene: Scene) -> None:
    scene.aws("autoscaling").enter_standby(
        AutoScalingGroupName=f"shop-{scene.group}",
        InstanceIds=scene.of(scene.group)[:1],
        ShouldDecrementDesiredCapacity=True,
    )
    scene.settle()
    scene.release(ExitCode.FAILED)


def _tags(scene: Scene) -> None:
    scene.release()
    one, two, three = scene.of(scene.group)
    for worker, key, value in (
        (one, "deployctl:version", "v1"),
        (two, "deployctl:version", "hotfix"),
        (three, "deployctl:group", "elsewhere"),
    ):
        scene.aws("ec2").create_tags(Resources=[worker], Tags=[{"Key": key, "Value": value}])


def _detached(scene: Scene) -> None:
    scene.aws("autoscaling").detach_instances(
        AutoScalingGroupName=f"shop-{scene.group}",
        InstanceIds=scene.of(scene.group)[:1],
        ShouldDecrementDesiredCapacity=True,
    )
    scene.settle()
    scene.release()


def _moved(scene: Scene) -> None:
    scene.release()
    worker = scene.of(scene.group)[:1]
    autoscaling = scene.aws("autoscaling")
    autoscaling.detach_instances(
        AutoScalingGroupName=f"shop-{scene.group}", InstanceIds=worker, ShouldDecrementDesiredCapacity=True
    )
    scene.settle()
    autoscaling.attach_instances(AutoScalingGroupName=f"shop-{scene.groups[1]}", InstanceIds=worker)
    scene.settle()


#: What was injected, and the cause that it must be found by first.
FLEETS: dict[str, tuple[Callable[[Scene], None], set[Cause]]] = {
    "the new version fails on one worker": (_script_fails, {Cause.SCRIPT_FAILED}),
    "tags were edited by hand": (_tags, {Cause.TAG_EDITED}),
    "a worker was in Standby": (_standby, {Cause.STANDBY}),
    "an agent is silent": (_agent_silent, {Cause.AGENT_SILENT}),
    "a stop script is broken": (_stop_script, {Cause.STOP_SCRIPT_BROKEN}),
    "a download failed": (_download, {Cause.BUNDLE_DOWNLOAD_FAILED}),
    "the launch hook is missing": (_hook_missing, {Cause.LAUNCH_HOOK_MISSING}),
    "a group was empty": (_empty, {Cause.LAUNCHED_INTO_EMPTY_GROUP}),
    "a worker was detached": (_detached, {Cause.DETACHED}),
    "a worker was moved": (_moved, {Cause.MOVED_GROUP}),
}
IN_THE_SUITE = 2


@pytest.fixture
def scene(start_sandbox, tmp_path, request) -> Scene:
    number = list(FLEETS).index(request.getfixturevalue("name"))
    sandbox = start_sandbox(groups=2, workers=6, seed=600 + number, speed=600.0)
    repository = make_repository(tmp_path / "repo", sandbox.env)
    toml = repository.folder / "deployctl.toml"
    toml.write_text(toml.read_text() + STRATEGY.format(strategy="all"))
    repository.commit("all at once")
    assert repository.deployctl("release", "v1", "--quiet").code == ExitCode.DONE
    groups = tuple(sorted({w["group"] for w in sandbox.control.workers()}))
    return Scene(sandbox, repository, groups)


def _names():
    for number, name in enumerate(FLEETS):
        yield pytest.param(name, marks=[] if number < IN_THE_SUITE else [pytest.mark.soak], id=name)


@pytest.mark.parametrize("name", list(_names()))
def test_the_commands_that_reconcile_prints_fix_the_fleet(scene: Scene, name: str, capsys):
    bring_about, causes = FLEETS[name]
    bring_about(scene)
    assert {w.cause for w in scene.look() if w.category.is_drift} == causes
    drill = on_call(name, scene.look, scene.type_in)
    with capsys.disabled():
        print(f"\n{drill}")
    assert drill.is_fixed, drill
    assert len(drill.rounds) <= 2

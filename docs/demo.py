"""A whole release on this machine, without an AWS account: `make demo`.

The demo prints every command before it runs, and you could type each yourself. The fleet is simulated.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

GROUPS, WORKERS, SEED, SPEED = 50, 300, 7, 60
BROKEN_GROUP, SPOT_GROUP, GROWING_GROUP = "video-transcode", "mail-send", "image-resize"
DEPLOYCTL = str(Path(sys.executable).with_name("deployctl"))
DONE, FAILED, DRIFT = 0, 1, 3

APP = '''"""A small Celery application to release."""

from celery import Celery

app = Celery("shop", broker="sqs://")


@app.task(acks_late=True)
def transcode(video_id: str) -> str:
    return f"transcoded {video_id}"
'''


class DemoFailed(Exception):
    """A step had another result than the demo expects."""


class Stage:
    """Runs commands in one repository and one environment, and shows them."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "shop"
        self.repository.mkdir()
        self.env = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "DEPLOYCTL_SANDBOX_UNTIL_EXIT_OF": str(os.getpid()),
        }

    def say(self, text: str) -> None:
        print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)

    def run(self, *command: str, expect: int = DONE, quiet: bool = False) -> None:
        """Run a command with this terminal. Raises: DemoFailed where its exit code is another."""
        if not quiet:
            print(f"$ {shlex.join(command)}", flush=True)
        code = subprocess.run(_real(command), cwd=self.repository, env=self.env, check=False).returncode
        if code != expect:
            raise DemoFailed(f"{shlex.join(command)} ended with {code}, not {expect}")

    def read(self, *command: str, expect: int = DONE) -> Any:
        """Run a command of which only the data are of interest; stderr is this terminal's."""
        done = subprocess.run(
            _real(command), cwd=self.repository, env=self.env, check=False, stdout=subprocess.PIPE, text=True
        )
        if done.returncode != expect:
            raise DemoFailed(f"{shlex.join(command)} ended with {done.returncode}, not {expect}")
        return json.loads(done.stdout)

    def release(self, version: str, *, expect: int) -> dict[str, Any]:
        """Release with the board on this terminal, and the outcome as data."""
        print(f"$ deployctl release {version} --json > {version}.json", flush=True)
        outcome: dict[str, Any] = self.read("deployctl", "release", version, "--json", expect=expect)
        return outcome

    def use_sandbox(self) -> None:
        print('$ eval "$(deployctl sandbox env)"', flush=True)
        lines = subprocess.run(
            [DEPLOYCTL, "sandbox", "env"], env=self.env, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        for line in lines.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.env[name] = "".join(shlex.split(value))


def _real(command: tuple[str, ...]) -> list[str]:
    return [DEPLOYCTL if word == "deployctl" and place == 0 else word for place, word in enumerate(command)]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="deployctl-demo-") as folder:
        stage = Stage(Path(folder))
        began = time.monotonic()
        try:
            _play(stage, began)
        except DemoFailed as error:
            print(f"the demo failed: {error}", file=sys.stderr)
            return 1
        finally:
            stage.run("deployctl", "sandbox", "stop", quiet=True)
    return 0


def _play(stage: Stage, began: float) -> None:
    stage.say(f"1. A sandbox: {GROUPS} groups, {WORKERS} workers, {SPEED} times real speed")
    sizes = ("--groups", str(GROUPS), "--workers", str(WORKERS), "--seed", str(SEED), "--speed", str(SPEED))
    stage.run("deployctl", "sandbox", "start", *sizes)
    stage.use_sandbox()

    stage.say("2. A repository with a Celery application")
    (stage.repository / "tasks.py").write_text(APP)
    (stage.repository / "requirements.txt").write_text("celery[sqs]\n")
    stage.run("git", "init", "--quiet")
    stage.run("git", "config", "user.name", "demo")
    stage.run("git", "config", "user.email", "demo@example.com")
    _commit(stage, "A shop's tasks")
    stage.run("deployctl", "init", "--no-input", "--yes")

    stage.say("3. Release v1 to the whole fleet")
    first = stage.release("v1", expect=DONE)

    stage.say(
        "4. Release v2 with three faults: a failing hook, a spot reclaim, and a scale-out during the release"
    )
    (stage.repository / "tasks.py").write_text(APP.replace("transcoded", "transcoded again:"))
    _commit(stage, "Transcode again")
    broken = _worker_of(stage, BROKEN_GROUP)
    stage.run(
        "deployctl", "sandbox", "inject", "hook-fails", "--instance", broken,
        "--exit-code", "3", "--message", "cannot reach the database",
    )  # fmt: skip
    print("  and from another terminal, once v2 is deploying to a worker of each group:")
    print(f"$ deployctl sandbox reclaim INSTANCE --notice 0s          # this worker of {SPOT_GROUP}")
    print(f"$ deployctl sandbox scale-out {GROWING_GROUP} --count 1")
    trouble = threading.Thread(target=_trouble, args=(stage,))
    trouble.start()
    second = stage.release("v2", expect=FAILED)
    trouble.join()

    stage.say("5. Which workers drifted, and why?")
    stage.run("deployctl", "reconcile", expect=DRIFT)
    _check(stage.read("deployctl", "reconcile", "--json", expect=DRIFT), broken)
    _sum_up(stage, first, second, began)


def _commit(stage: Stage, message: str) -> None:
    stage.run("git", "add", "--all", quiet=True)
    stage.run("git", "commit", "--quiet", "--message", message)


def _worker_of(stage: Stage, group: str) -> str:
    workers = stage.read("deployctl", "sandbox", "workers", "--json")
    return next(str(w["instance_id"]) for w in workers if w["group"] == group)


def _trouble(stage: Stage) -> None:
    """During the release of v2: a spot reclaim of a worker that is being deployed to, and a scale-out."""
    victim = _first_down(stage, SPOT_GROUP)
    stage.read("deployctl", "sandbox", "reclaim", victim, "--notice", "0s", "--json")
    stage.read("deployctl", "sandbox", "scale-out", GROWING_GROUP, "--count", "1", "--json")


def _first_down(stage: Stage, group: str) -> str:
    for _ in range(200):
        for event in stage.read("deployctl", "sandbox", "events", "--kind", "worker-down", "--json"):
            if event["group"] == group and event.get("version") == "v2":
                return str(event["instance_id"])
        time.sleep(0.1)
    raise DemoFailed(f"no worker of {group} went down for v2")


def _check(found: dict[str, Any], broken: str) -> None:
    behind = {w["instance_id"]: w for w in found["workers"] if w["category"] != "current"}
    living = {i: w["category"] for i, w in behind.items() if w["category"] != "terminated-mid-deploy"}
    if living != {broken: "failed"}:
        raise DemoFailed(f"expected drift only on {broken}, found: {living}")


def _sum_up(stage: Stage, first: dict[str, Any], second: dict[str, Any], began: float) -> None:
    events = stage.read("deployctl", "sandbox", "events", "--json")
    downtimes = _downtimes(events, "v1")
    one_by_one_h = sum(up - down for down, up in downtimes) * SPEED / 3600
    excused = [w for g in second["groups"] for w in g["workers"] if w["verdict"] == "excused"]
    stage.say("Summary")
    print(f"  workers                {len(downtimes)} in {len(first['groups'])} groups")
    for version, outcome in (("v1", first), ("v2", second)):
        calls = sum(outcome["calls"].values())
        print(
            f"  {version:<22} {outcome['verdict']}, {outcome['elapsed_s']:.0f} s on this machine, {calls} AWS calls"
        )
    for worker in excused:
        print(f"  terminated             {worker['instance_id']}: {worker['cause']}, so excused")
    print(
        f"  one host at a time     {one_by_one_h:.1f} h for v1, by the simulator's model of a worker's deployment"
    )
    print(f"  this demo              {time.monotonic() - began:.0f} s")


def _downtimes(events: list[dict[str, Any]], version: str) -> list[tuple[float, float]]:
    """Each worker's start and end of its downtime for this version, in seconds of the wall clock."""
    down: dict[str, float] = {}
    found = []
    for event in events:
        if event.get("version") == version and event["kind"] == "worker-down":
            down[event["instance_id"]] = _seconds(event["at"])
        elif (
            event.get("version") == version and event["kind"] == "worker-up" and event["instance_id"] in down
        ):
            found.append((down.pop(event["instance_id"]), _seconds(event["at"])))
    return found


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    raise SystemExit(main())

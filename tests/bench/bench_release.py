"""Measures a release in the sandbox: time, peak memory, AWS calls by operation, for two fleet sizes."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployctl.execute.poll_timing import PollTiming
from deployctl.sandbox.state import UNTIL_EXIT_OF

DEPLOYCTL = [sys.executable, "-m", "deployctl"]
FOLLOWING = "codedeploy:BatchGetDeployments"


def main() -> None:
    _release(groups=50, workers=300, speed=1, strategy="one")
    small = _release(groups=50, workers=300, speed=60)
    large = _release(groups=500, workers=10_000, speed=10)
    print("\ncalls by operation                            50 × 6   500 × 20   ratio")
    for operation in sorted({*small["calls"], *large["calls"]}):
        one, other = small["calls"].get(operation, 0), large["calls"].get(operation, 0)
        ratio = f"{other / one:7.1f}" if one else "      -"
        print(f"  {operation:<42} {one:8,} {other:10,} {ratio}")


def _release(*, groups: int, workers: int, speed: int, strategy: str = "half") -> dict[str, Any]:
    """At speed 1 and one worker at a time, a group of 6 takes 6 minutes: the critical path of a real fleet."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "XDG_STATE_HOME": folder, UNTIL_EXIT_OF: str(os.getpid())}
        _run(
            ["sandbox", "start", "--groups", str(groups), "--workers", str(workers), "--speed", str(speed)],
            env,
        )
        try:
            sizes = f"{groups} groups, {workers:,} workers, speed {speed}"
            return _measured(Path(folder), env, groups=groups, sizes=sizes, strategy=strategy)
        finally:
            _run(["sandbox", "stop"], env)


def _measured(folder: Path, env: dict[str, str], *, groups: int, sizes: str, strategy: str) -> dict[str, Any]:
    exports = _run(["sandbox", "env"], env).splitlines()
    env |= {n: v.strip("'") for n, _, v in (e.removeprefix("export ").partition("=") for e in exports)}
    repository = folder / "repository"
    repository.mkdir()
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    for name, value in (("user.name", "bench"), ("user.email", "bench@example.com")):
        subprocess.run(["git", "-C", str(repository), "config", name, value], check=True)
    _run(["init", "--no-input", "--yes", "--quiet"], env, cwd=repository)
    command = ["release", "v1", "--strategy", strategy, "--json", "--quiet"]
    outcome: dict[str, Any] = json.loads(_run(command, env, cwd=repository))
    ended_at = datetime.now(UTC)
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    started = json.loads(_run(["sandbox", "events", "--kind", "deployment-created", "--json"], env))
    finished = json.loads(_run(["sandbox", "events", "--kind", "deployment-finished", "--json"], env))
    print(
        f"{sizes}: {outcome['verdict']} in {outcome['elapsed_s']:.1f} s;"
        f" deployments created within {_between(started[:groups]):.1f} s,"
        f" the last one over {_since(started[0], finished[-1]):.1f} s after the first began;"
        f" peak memory of any process so far {peak_mib:.0f} MiB"
    )
    beyond_s = (ended_at - datetime.fromisoformat(finished[-1]["at"])).total_seconds()
    print(
        f"  over {beyond_s:.1f} s after its slowest deployment; allowed, but for real speed only:"
        f" a poll of {PollTiming().poll_max_s:.0f} s and 2 s"
    )
    polls = outcome["calls"].get(FOLLOWING, 0) / math.ceil(groups / 25)
    print(
        f"  following: {outcome['calls'].get(FOLLOWING, 0)} calls, {polls:.1f} polls of {math.ceil(groups / 25)}"
    )
    return outcome


def _between(events: list[dict[str, Any]]) -> float:
    return _since(events[0], events[-1])


def _since(first: dict[str, Any], last: dict[str, Any]) -> float:
    return (datetime.fromisoformat(last["at"]) - datetime.fromisoformat(first["at"])).total_seconds()


def _run(arguments: list[str], env: dict[str, str], cwd: Path | None = None) -> str:
    return subprocess.run(
        [*DEPLOYCTL, *arguments], env=env, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()

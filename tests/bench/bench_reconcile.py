"""Times `deployctl reconcile` against `aws ec2 describe-instances` for each group and `jq`.

Both look at the same sandbox, of whose workers every fiftieth has a tag that says v0. Both have to name just those.
The peer knows no cause, no remedy, and no version but the expected one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployctl.sandbox.state import UNTIL_EXIT_OF

DEPLOYCTL = [sys.executable, "-m", "deployctl"]
SIZES = ((50, 300), (500, 10_000))
BEHIND_EVERY = 50
TAGGED_AT_ONCE = 200

PEER = r"""
set -euo pipefail
groups=$(aws deploy list-deployment-groups --application-name shop --query 'deploymentGroups[]' --output text)
for group in $groups; do
  aws ec2 describe-instances --filters "Name=tag:aws:autoscaling:groupName,Values=shop-$group" \
      Name=instance-state-name,Values=running --output json |
    jq -r '.Reservations[].Instances[]
      | select(([.Tags[] | select(.Key == "deployctl:version").Value] | first) != "v1") | .InstanceId'
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One command's output; seconds from its start to its end; the peak of its largest process; its AWS calls."""

    stdout: str
    took_s: float
    peak_mib: float
    calls: dict[str, int]

    def line(self, name: str, rest: str) -> str:
        return (
            f"  {name:<34} {self.took_s:7.1f} s  {self.peak_mib:5.0f} MiB"
            f"  {sum(self.calls.values()):6,} AWS calls  {rest}"
        )


def main() -> None:
    for groups, workers in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "XDG_STATE_HOME": folder, UNTIL_EXIT_OF: str(os.getpid())}
            bin_folder = str(Path(sys.executable).parent)
            env["PATH"] = f"{bin_folder}{os.pathsep}{env['PATH']}"
            sizes = ["--groups", str(groups), "--workers", str(workers), "--speed", "600"]
            _deployctl(["sandbox", "start", *sizes], env)
            try:
                print(f"{groups} groups, {workers:,} workers")
                _side_by_side(_released(Path(folder), env), env)
            finally:
                _deployctl(["sandbox", "stop"], env)


def _released(folder: Path, env: dict[str, str]) -> Path:
    """A repository whose v1 is on every worker; afterwards every fiftieth worker's tag says v0."""
    exports = _deployctl(["sandbox", "env"], env).splitlines()
    env |= {n: v.strip("'") for n, _, v in (e.removeprefix("export ").partition("=") for e in exports)}
    repository = folder / "repository"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    for name, value in (("user.name", "bench"), ("user.email", "bench@example.com")):
        subprocess.run(["git", "-C", str(repository), "config", name, value], check=True)
    _deployctl(["init", "--no-input", "--yes", "--quiet"], env, cwd=repository)
    _deployctl(["release", "v1", "--quiet"], env, cwd=repository)
    living = sorted(w["instance_id"] for w in json.loads(_deployctl(["sandbox", "workers", "--json"], env)))
    behind = living[::BEHIND_EVERY]
    for first in range(0, len(behind), TAGGED_AT_ONCE):
        some = behind[first : first + TAGGED_AT_ONCE]
        tags = "Key=deployctl:version,Value=v0"
        subprocess.run(
            ["aws", "ec2", "create-tags", "--resources", *some, "--tags", tags], env=env, check=True
        )
    return repository


def _side_by_side(repository: Path, env: dict[str, str]) -> None:
    answers: list[set[str]] = []
    times: list[float] = []
    for engine in ("duckdb", "athena"):
        command = [*DEPLOYCTL, "reconcile", "--json", "--engine", engine]
        measured = _measure(command, env, repository, codes=(3,))
        found = json.loads(measured.stdout)
        answers.append({w["instance_id"] for w in found["workers"] if w["category"] != "current"})
        times.append(measured.took_s)
        print(measured.line(f"deployctl reconcile, {engine}", f"{found['bytes_scanned']:,} bytes scanned"))
    snapshot = _measure([*DEPLOYCTL, "snapshot", "--json"], env, repository, codes=(0,))
    print(snapshot.line("deployctl snapshot", f"{json.loads(snapshot.stdout)['bytes']:,} bytes written"))
    if shutil.which("jq") is None:
        print("  aws and jq: not measured, there is no jq on PATH")
        return
    peer = _measure(["bash", "-c", PEER], env, repository, codes=(0,))
    answers.append(set(peer.stdout.split()))
    print(
        peer.line("aws for each group, and jq", f"{peer.took_s / min(times):.0f} times as long as deployctl")
    )
    assert answers[0] == answers[1] == answers[2], "the answers differ"
    print(f"  the same {len(answers[0])} workers named by all")


def _measure(command: Sequence[str], env: dict[str, str], cwd: Path, *, codes: Sequence[int]) -> Measured:
    before, began = _calls(env), time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, env=env, cwd=cwd, stdout=output)
        # The largest among the child and the processes it waited for.
        _, status, usage = os.wait4(child.pid, 0)
        took_s = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode in codes, f"{command}: exit {child.returncode}"
        output.seek(0)
        stdout = output.read()
    calls = {name: count - before.get(name, 0) for name, count in _calls(env).items()}
    return Measured(stdout=stdout, took_s=took_s, peak_mib=usage.ru_maxrss / 1024, calls=calls)


def _calls(env: dict[str, str]) -> dict[str, int]:
    counted: Any = json.loads(_deployctl(["sandbox", "calls", "--json"], env))
    return {str(name): int(count) for name, count in counted.items()}


def _deployctl(arguments: Sequence[str], env: dict[str, str], cwd: Path | None = None) -> str:
    return subprocess.run(
        [*DEPLOYCTL, *arguments], env=env, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()

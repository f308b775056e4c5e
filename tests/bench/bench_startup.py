"""Times `deployctl --help` against `aws --version`: whole processes, alternating in one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15


def main() -> None:
    folder = Path(sys.executable).parent
    ours, theirs = [str(folder / "deployctl"), "--help"], [str(folder / "aws"), "--version"]
    seconds: dict[str, list[float]] = {"deployctl --help": [], "aws --version": []}
    for run in range(RUNS + 1):
        for name, command in zip(seconds, (ours, theirs), strict=True):
            took = _time(command)
            if run:  # the first warms the disk's cache
                seconds[name].append(took)
    print(f"start-up, {RUNS} runs each in turn, wall-clock")
    for name, took in seconds.items():
        print(f"  {name:<18} median {statistics.median(took) * 1000:6.0f} ms  min {min(took) * 1000:6.0f} ms")
    pairs = zip(*seconds.values(), strict=True)
    ratio = statistics.median(mine / peer for mine, peer in pairs)
    print(f"  ratio              {ratio:.2f} of aws --version")


def _time(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

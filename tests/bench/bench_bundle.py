"""Times the bundle against `tar czf` and Python's tarfile on one generated tree, side by side in one run.

Ratios carry over to other machines, seconds do not.
"""

import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deployctl.build.bundle import pack
from deployctl.build.content_checks import ContentInspector
from deployctl.build.directory_tree import DirectoryTree
from deployctl.build.git_tree import CommittedTree
from deployctl.build.ignore_patterns import Patterns

FILES = 3_000
TOTAL_BYTES = 60_000_000
RUNS = 5
SEED = 7


def make_tree(directory: Path) -> None:
    """Write text files and a few incompressible ones, committed and packed as after a clone."""
    dice = random.Random(SEED)
    words = ["".join(dice.choices("etaoinshrdlu_", k=dice.randint(2, 12))) for _ in range(4_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]  # As words are used in any text.
    for number in range(FILES):
        folder = directory / f"package{number % 60}" / f"module{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        size = int(dice.expovariate(FILES / TOTAL_BYTES)) + 1
        binary = dice.random() < 0.1
        body = (
            dice.randbytes(size)
            if binary
            else " ".join(dice.choices(words, weights, k=size // 8 + 1)).encode()
        )
        (folder / f"file{number}.py").write_bytes(body)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "tree"], ["repack", "-adq"]):
        subprocess.run([*git, *command], cwd=directory, check=True)


def bundle_committed(directory: Path, out: Path) -> None:
    tree = CommittedTree(directory, "HEAD^{tree}")
    pack(tree, tree.entries, path=out, mtime_s=0, inspector=ContentInspector(Patterns(("*",), "bench")))


def bundle_directory(directory: Path, out: Path) -> None:
    tree = DirectoryTree(directory)
    pack(tree, tree.entries, path=out, mtime_s=0, inspector=ContentInspector(Patterns(("*",), "bench")))


def gnu_tar(directory: Path, out: Path) -> None:
    subprocess.run(["tar", "czf", out, "--exclude=.git", "."], cwd=directory, check=True)


def python_tarfile(directory: Path, out: Path) -> None:
    with tarfile.open(out, "w:gz", compresslevel=6) as archive:
        archive.add(directory, ".", filter=lambda item: None if item.name.startswith("./.git") else item)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "tar czf": gnu_tar,
    "python tarfile": python_tarfile,
    "deployctl, from a commit": bundle_committed,
    "deployctl, from a directory": bundle_directory,
}


def measure(directory: Path, out: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each way; the ways alternate, so that a busy machine slows all of them."""
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(runs):
        for name, way in WAYS.items():
            began = time.perf_counter()
            way(directory, out)
            took[name].append(time.perf_counter() - began)
    return took


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory(prefix="bench-bundle-") as name:
        directory, out = Path(name) / "tree", Path(name) / "bundle.tar.gz"
        directory.mkdir()
        make_tree(directory)
        took = measure(directory, out, runs)
        base = statistics.median(took["tar czf"])
        print(f"bundle of {TOTAL_BYTES / 1e6:.0f} MB in {FILES:,} files, median of {runs}")
        for way, seconds in took.items():
            median = statistics.median(seconds)
            print(f"  {way:<28} {median:6.2f} s   {base / median:5.1f}×")


if __name__ == "__main__":
    main()

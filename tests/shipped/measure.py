"""How large and how divided the code is: `python -m tests.shipped.measure [FOLDER]` prints it for `deployctl/`.

Lines a room, the median and 90th percentile of function lengths, and the share of private functions and methods whose
name is used in exactly one place (a sign of code cut into too many pieces).
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main(root: Path) -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    rooms = Counter[str]()
    for path, source in sources.items():
        parts = path.relative_to(root).parts
        rooms[parts[0] if len(parts) > 1 else "(top)"] += source.count("\n")
    for room, lines in sorted(rooms.items()):
        print(f"{room:12} {lines:6,} lines")
    print(f"{'all':12} {sum(rooms.values()):6,} lines in {len(sources)} files")
    trees = {path: list(_functions(ast.parse(source))) for path, source in sources.items()}
    lengths = sorted((f.end_lineno or f.lineno) - f.lineno + 1 for found in trees.values() for f in found)
    median, p90 = statistics.median(lengths), lengths[int(len(lengths) * 0.9)]
    print(f"functions    {len(lengths):6,}, median {median:.0f} lines, 90th percentile {p90}")
    private = [(p, f.name) for p, found in trees.items() for f in found if re.match(r"_[a-z]", f.name)]
    # Twice in its file: where it is defined, and where it is used.
    single = [name for path, name in private if len(re.findall(rf"\b{name}\b", sources[path])) == 2]
    print(
        f"private      {len(private):6,}, {len(single) / max(len(private), 1):.0%} of them used in one place"
    )


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "deployctl")

"""Small bundles, and what CodeDeploy agents do with them: agent_cases.json.

Each case is the first one with some files changed. `v1` is what agent v1.8.1 did (`observed`), or what its source and
the source of agent v2 give (`source`); where these leave a doubt, the harsher reading, and `note` says so. `beyond`
says why a lint cannot know the outcome. `level` is the lint's: error, warning or none.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deployctl.build.bundle_files import Files
from deployctl.build.lint import lint
from deployctl.build.lint_findings import Finding, Severity
from deployctl.build.tree import Entry, Kind

_FILE = Path(__file__).with_name("agent_cases.json")
_LATIN_1 = "latin-1:"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`code` is the agent's number: 1 script missing, 4 script failed, 5 anything else."""

    state: str
    event: str = ""
    code: int | str = 0
    message: str = ""

    @property
    def failed(self) -> bool:
        return self.state == "Failed"


@dataclass(frozen=True, kw_only=True)
class Case:
    case: str
    about: str
    files: dict[str, str]
    v1: Outcome
    v1_from: str
    v2: str
    level: str
    without: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    not_executable: tuple[str, ...] = ()
    note: str = ""
    beyond: str = ""

    def content(self) -> dict[str, tuple[Kind, bytes]]:
        """Every file and symlink of the bundle, sorted."""
        files = {**_GOOD, **self.files}
        found = {
            name: (self._kind(name), _encoded(text))
            for name, text in files.items()
            if name not in self.without or name in self.files
        }
        found |= {name: (Kind.SYMLINK, target.encode()) for name, target in self.links.items()}
        return dict(sorted(found.items()))

    def _kind(self, name: str) -> Kind:
        return Kind.EXECUTABLE if name.endswith(".sh") and name not in self.not_executable else Kind.FILE

    def findings(self) -> list[Finding]:
        tree = MemoryTree(self.content())
        return lint(Files(tree, tree.entries))[1]

    def found_level(self) -> str:
        """The worst severity that the lint finds."""
        severities = {finding.severity for finding in self.findings()}
        if Severity.ERROR in severities:
            return "error"
        return "warning" if severities else "none"

    def tgz(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, (kind, content) in self.content().items():
                member = tarfile.TarInfo(name)
                if kind is Kind.SYMLINK:
                    member.type, member.linkname = tarfile.SYMTYPE, content.decode()
                    archive.addfile(member)
                    continue
                member.size, member.mode = len(content), 0o755 if kind is Kind.EXECUTABLE else 0o644
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()


class MemoryTree:
    """A tree of files in memory."""

    submodules: Sequence[bytes] = ()
    special: Sequence[bytes] = ()

    def __init__(self, files: dict[str, tuple[Kind, bytes]]) -> None:
        self._files = {os.fsencode(name): content for name, (_, content) in files.items()}
        self.entries = [
            Entry(path=os.fsencode(name), kind=kind, size_bytes=len(content))
            for name, (kind, content) in files.items()
        ]

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        for entry in entries:
            yield entry, iter((self._files[entry.path],))


def _encoded(text: str) -> bytes:
    return text.removeprefix(_LATIN_1).encode("latin-1" if text.startswith(_LATIN_1) else "utf-8")


_ROWS = json.loads(_FILE.read_text(encoding="utf-8"))
_GOOD: dict[str, str] = _ROWS[0]["files"]
CASES = [Case(**{**row, "v1": Outcome(**row["v1"])}) for row in _ROWS]

"""What deployctl reads from outside, mutated half a million times: each is read, or refused by an error's code."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployctl.aws.json_records import from_json
from deployctl.aws.lease_record import LEASES, STOPS
from deployctl.aws.manifests import parse_manifest
from deployctl.aws.state_store import parse_state
from deployctl.build.bundle_files import Files
from deployctl.build.lint import lint
from deployctl.build.tree import Kind
from deployctl.config.document import parse
from deployctl.config.duration import parse_duration_s
from deployctl.config.load import settings_of
from deployctl.errors import DeployctlError
from deployctl.execute.journal_reader import read_journal
from deployctl.lake.parquet import decode, encode
from deployctl.model.fleet import SnapshotRow
from deployctl.model.names import ReleaseId, parse_version
from deployctl.model.strategy import parse_strategy
from deployctl.observe.group_view import moment_of
from tests.fakes.lake_rows import snapshot_row
from tests.unit.aws.test_json_records import LEASE_BEFORE, MANIFEST, STATE_BEFORE, STOP_BEFORE, URI
from tests.unit.build.agent_cases import CASES, MemoryTree

INPUTS = 500_000
JOURNAL = {
    "schema": "deployctl.journal/1",
    "number": 1,
    "entry": {
        "kind": "baking",
        "at": "2026-01-02T03:04:05Z",
        "version": "v2",
        "wave": 1,
        "until": "2026-01-02T03:09:05Z",
    },
}
CONFIG = """application = "shop"
region = "eu-west-1"
bucket = "deployctl-sandbox"
workgroup = "deployctl"
[build]
command = "make"
[[groups]]
match = "video-*"
strategy = "half"
"""
PIECES = [
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"[",
    b"{",
    b'"',
    b"\\ud800",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"9" * 400,
]
PIECES += [
    b"\n",
    b"true",
    b": ",
    b"\xe2\x80\xae",
    b"[[",
    b"2026-13-45",
    b"T",
    b"Z",
    b"'",
    b"$(x)",
    b"..",
    b"",
]


def body(record: object) -> bytes:
    return json.dumps(record).encode()


def journal(text: bytes) -> None:
    entry = from_json(text, schema="deployctl.journal/1", uri=URI).get("entry")
    if isinstance(entry, dict):
        read_journal(ReleaseId("r-1"), [entry])


def appspec(text: bytes) -> None:
    files = {**CASES[0].content(), "appspec.yml": (Kind.FILE, text)}
    tree = MemoryTree(dict(sorted(files.items())))
    lint(Files(tree, tree.entries))


def config(text: bytes) -> None:
    document = parse(text.decode("utf-8", "replace"), path=Path("deployctl.toml"), label="deployctl.toml")
    settings_of(document, environment={}, flags={})


def words(text: bytes) -> None:
    word = text.decode("utf-8", "surrogateescape")
    for read in (parse_version, parse_strategy, parse_duration_s, moment_of):
        try:
            read(word)
        except (DeployctlError, ValueError):
            continue


#: Each reader with what it usually reads, and its share of the inputs.
READERS: dict[str, tuple[Callable[[bytes], object], bytes, int]] = {
    "manifest": (lambda text: parse_manifest(text, uri=URI), body(MANIFEST), 4),
    "state": (lambda text: parse_state(text, uri=URI), body(STATE_BEFORE), 4),
    "lease": (lambda text: LEASES.decode(text, uri=URI), body(LEASE_BEFORE), 4),
    "stop request": (lambda text: STOPS.decode(text, uri=URI), body(STOP_BEFORE), 4),
    "journal": (journal, body(JOURNAL), 4),
    "words": (words, b"v123", 4),
    "snapshot": (lambda text: decode(text, SnapshotRow), encode([snapshot_row()], SnapshotRow), 1),
    "appspec": (appspec, CASES[0].content()["appspec.yml"][1], 1),
    "configuration": (config, CONFIG.encode(), 1),
}


def mutated(text: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(text))
        piece = chance.choice(PIECES) if chance.random() < 0.7 else chance.randbytes(chance.randint(1, 8))
        text = text[:at] + piece + text[at + chance.randint(0, 12) :]
    return text if chance.random() < 0.95 else text[: chance.randint(0, len(text))]


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", READERS)
def test_an_input_is_read_or_refused_with_a_code(name, figures):
    read, usual, share = READERS[name]
    number = INPUTS * share // sum(share for _, _, share in READERS.values()) + 1
    chance, ended = random.Random(name), Counter()
    began = datetime.now(UTC)
    for _ in range(number):
        text = mutated(usual, chance)
        try:
            read(text)
            ended["read"] += 1
        except DeployctlError as error:
            ended[error.code] += 1
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} for {text!r}") from error
    took_s = (datetime.now(UTC) - began).total_seconds()
    figures(f"{name}: {number:,} inputs in {took_s:.0f} s, 0 tracebacks; {dict(ended.most_common(4))}")

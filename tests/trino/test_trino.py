"""The queries on a real Trino, beside DuckDB: the same rows, over the same Parquet files. `pytest -m trino`."""

from __future__ import annotations

import math
import random
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deployctl import assets
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, GROUP_FINDINGS, RELEASES, SNAPSHOTS, SPANS
from deployctl.lake.sql import SqlRejected
from deployctl.model.cause import Category, Cause
from deployctl.model.fleet import SnapshotRow
from deployctl.model.group_finding import GroupCause, GroupFinding
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow, SpanRow
from deployctl.model.verdict import Verdict
from tests.fakes.lake_rows import (
    NOON,
    SNAPSHOT_ID,
    finding_row,
    release_row,
    snapshot_row,
    span_row,
    target_row,
)
from tests.fakes.sample_lake import FIRST_DAY, asked, fill_lake, snapshot_at
from tests.fakes.schema_versions import newer, older
from tests.trino.expressions import DIFFERENT, EXPRESSIONS
from tests.trino.server import FolderLake, TrinoError, TrinoUnavailable, trino
from tests.unit.lake.test_categories import FACTS
from tests.unit.lake.test_causes import SAMPLES

pytestmark = [pytest.mark.trino, pytest.mark.timeout(1_200)]

QUERIES = sorted(asked())


class Engines:
    """One lake in a folder, and both engines over it."""

    def __init__(self, server, folder: Path) -> None:
        self.server = server
        self.lake = FolderLake(folder)
        self.schema = f"s_{uuid.uuid4().hex[:12]}"

    def ready(self) -> None:
        self.server.create_tables(self.lake, self.schema)

    def ask(self, name: str, parameters: tuple[str | int, ...]) -> list[dict[str, Any]]:
        """Trino's rows, once they are DuckDB's too."""
        return self.both(assets.query(name), parameters)

    def both(self, sql: str, parameters: tuple[str | int, ...] = ()) -> list[dict[str, Any]]:
        by_trino = self.server.run(sql, parameters, schema=self.schema)
        by_duckdb = DuckEngine(self.lake).run(sql, parameters).rows
        assert len(by_trino) == len(by_duckdb)
        for theirs, ours in zip(by_trino, by_duckdb, strict=True):
            assert list(theirs) == list(ours)
            different = {
                name: (theirs[name], ours[name]) for name in ours if not same(theirs[name], ours[name])
            }
            assert different == {}, ours
        return by_trino


def same(theirs: Any, ours: Any) -> bool:
    """Doubles to nine digits: sums run in another order. Everything else exactly, and of the same type."""
    if isinstance(theirs, float) and isinstance(ours, float):
        return math.isclose(theirs, ours, rel_tol=1e-9, abs_tol=1e-9)
    return type(theirs) is type(ours) and theirs == ours


@pytest.fixture(scope="module")
def server(tmp_path_factory, request):
    if "trino" not in request.config.getoption("-m"):
        pytest.skip("it takes Java, Maven and a minute: pytest -m trino")
    with trino(tmp_path_factory.mktemp("trino")) as server:
        yield server


@pytest.fixture
def engines(server, tmp_path):
    return Engines(server, tmp_path)


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_finds_the_same_in_the_sample_data(engines, name):
    fill_lake(engines.lake)
    engines.ready()
    assert engines.ask(name, asked()[name])


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_finds_nothing_in_an_empty_lake(engines, name):
    engines.ready()
    assert engines.ask(name, asked()[name]) == []


def test_every_cause_has_the_same_evidence_on_both_engines(engines):
    rows = [snapshot_row(**changes, instance_id=f"i-{n:03}") for n, (_, _, changes, _) in enumerate(SAMPLES)]
    found = reconciled(engines, rows)
    assert {row["category"] for row in found} == set(Category)
    assert {row["cause"] for row in found} == {None, *Cause}


LOGS = [
    None,
    "",
    "\n",
    "one",
    "one\ntwo\n",
    "ends blank\n \r\n\n",
    "\ttabs\t\n",
    "ü🙂\nlast ü🙂 ",
    "a\r\nb\r\n",
    " \n x",
]


def test_any_fleet_gets_the_same_causes_on_both_engines(engines):
    chance = random.Random(20)
    facts = {**FACTS, "target_log_tail": LOGS, "target_script": [None, "hooks/a b.sh", "hooks/ü.sh"]}
    facts["group_name"] = ["video", "Video", "ünder", "a%b_c", "it's"]
    facts["target_message"] = [*FACTS["target_message"], "Script failed with exit code 12", "x" * 300, ""]
    rows = [
        snapshot_row(
            **{name: chance.choice(values) for name, values in facts.items()}, instance_id=f"i-{n:04}"
        )
        for n in range(3_000)
    ]
    found = reconciled(engines, rows)
    assert {row["category"] for row in found} == set(Category)


def reconciled(engines, rows):
    engines.lake.write(SNAPSHOTS.key(NOON, rows[0].snapshot_id), encode(rows, SnapshotRow))
    engines.ready()
    return engines.ask("reconcile", (SNAPSHOTS.partition_value(NOON), rows[0].snapshot_id, "shop"))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(set(QUERIES) - {"reconcile"}))
def test_any_history_gives_the_same_answers(engines, name, seed):
    store_any_history(engines.lake, random.Random(seed))
    engines.ready()
    assert engines.ask(name, asked()[name])


def store_any_history(lake, chance: random.Random) -> None:
    """Four days of spans, releases and targets, and one snapshot's findings, as odd as their columns allow."""
    for day in range(4):
        begins = FIRST_DAY + timedelta(days=day)
        spans = [span for worker in range(30) for span in any_spans(chance, begins, f"i-{worker}")]
        lake.write(SPANS.key(begins, "shop"), encode(spans, SpanRow))
        releases, targets = any_releases(chance, begins)
        lake.write(RELEASES.key(begins, "run"), encode(releases, ReleaseRow))
        lake.write(DEPLOYMENT_TARGETS.key(begins, "run"), encode(targets, DeploymentTargetRow))
    at, texts = snapshot_at(FIRST_DAY), ["it's", "ünder", "two\nlines", ""]
    findings = [
        finding_row(
            snapshot_at=at,
            group_name=chance.choice(["video", "ünder", "audio"]),
            cause=chance.choice(list(GroupCause)).value,
            evidence=f"{chance.choice(texts)} {number}",
            remedy=chance.choice([None, *texts]),
        )
        for number in range(20)
    ]
    lake.write(GROUP_FINDINGS.key(at, SNAPSHOT_ID), encode(findings, GroupFinding))


def any_spans(chance: random.Random, begins: datetime, worker: str) -> list[SpanRow]:
    """A worker's day: spans that touch, and some that leave a gap."""
    edges = sorted({0.0, 86_400.0, *(round(chance.uniform(0, 86_400), 3) for _ in range(6))})
    versions = [None, "v1", "v2", "v3"]
    return [
        span_row(
            begins + timedelta(seconds=since),
            begins + timedelta(seconds=until),
            instance_id=worker,
            group_name=chance.choice(["video", "ünder", "audio"]),
            category=chance.choice([Category.CURRENT, *Category]).value,
            cause=chance.choice([None, *Cause]),
            desired_version=chance.choice(versions),
            deployed_version=chance.choice(versions),
        )
        for since, until in pairwise(edges)
        if chance.random() < 0.85
    ]


def any_releases(
    chance: random.Random, begins: datetime
) -> tuple[list[ReleaseRow], list[DeploymentTargetRow]]:
    releases, targets = [], []
    for number in range(24):
        at = begins + timedelta(minutes=chance.randrange(1_440))
        release = release_row(
            release_id=f"r-{chance.randrange(20)}",
            group_name=chance.choice(["video", "audio", "ünder", "remote"]),
            version=chance.choice(["v1", "v2", "v3"]),
            strategy=chance.choice(["one", "half", "35%"]),
            verdict=chance.choice(list(Verdict)).value,
            reason=chance.choice([None, "it's odd", ""]),
            started_at=at,
            # No two end at the same time: the order of the latest would be undefined.
            finished_at=at + timedelta(minutes=5, milliseconds=number + 1),
        )
        releases.append(release)
        reached = chance.randrange(6) if release.group_name != "remote" else 0
        targets += [any_target(chance, release) for _ in range(reached)]
    return releases, targets


def any_target(chance: random.Random, release: ReleaseRow) -> DeploymentTargetRow:
    began = release.started_at + timedelta(milliseconds=chance.randrange(600_000))
    return target_row(
        release_id=release.release_id,
        group_name=release.group_name,
        version=release.version,
        instance_id=f"i-{chance.randrange(30)}",
        status=chance.choice(["Succeeded", "Succeeded", "Failed", "Skipped"]),
        verdict=chance.choice(["verified", "failed", "excused"]),
        started_at=chance.choice([None, began]),
        ended_at=chance.choice([None, began + timedelta(milliseconds=chance.randrange(600_000))]),
    )


def test_older_and_newer_objects_read_the_same_on_both_engines(engines):
    span = span_row(NOON, NOON + timedelta(hours=1), instance_id="i-1")
    engines.lake.write(SPANS.key(NOON, "shop"), older(span, without=["cause", "minutes", "asg"]))
    late = newer(replace(span, instance_id="i-2"))
    engines.lake.write("fleet_spans/day=2026-11-23/shop.parquet", late)
    engines.ready()
    sql = "SELECT instance_id, asg, minutes, began_at FROM fleet_spans WHERE day >= ? ORDER BY instance_id"
    found = engines.both(sql, ("2026-11-22",))
    assert [row["minutes"] for row in found] == [None, 60]


def test_text_has_the_same_order_on_both_engines(engines):
    names = ["a", "B", "ä", "Z", "z", "_", "-", "1", "10", "2", "ü", "🙂", "", " "]
    rows = [span_row(NOON, NOON + timedelta(hours=1), instance_id=name) for name in names]
    engines.lake.write(SPANS.key(NOON, "shop"), encode(rows, SpanRow))
    engines.ready()
    sql = "SELECT instance_id FROM fleet_spans WHERE day = '2026-11-22' ORDER BY instance_id"
    assert len(engines.both(sql)) == len(names)


@pytest.mark.parametrize("hostile", ["it's", "'; DROP TABLE releases; --", "?", "a\\'b", "--", "🙂", "100%"])
def test_a_parameter_is_a_value_and_nothing_else(engines, hostile):
    row = release_row(actor=hostile)
    engines.lake.write(RELEASES.key(NOON, "r"), encode([row], ReleaseRow))
    engines.ready()
    sql = "SELECT actor FROM releases WHERE day = ? AND actor = ? AND sequence = ?"
    assert engines.both(sql, ("2026-11-22", hostile, 2)) == [{"actor": hostile}]


@pytest.fixture(scope="module")
def expressed(server, tmp_path_factory):
    """A lake of one table for expressions to be tried on."""
    engines = Engines(server, tmp_path_factory.mktemp("lake"))
    fill_lake(engines.lake)
    engines.ready()
    return engines


@pytest.mark.parametrize("expression", [e for several in EXPRESSIONS.values() for e in several])
def test_an_expression_of_a_function_that_is_let_through_means_the_same(expressed, expression):
    expressed.both(selected(expression))


def selected(expression: str) -> str:
    return expression if expression.startswith("SELECT") else f"SELECT {expression} AS x"


@pytest.mark.parametrize("expression", DIFFERENT)
def test_an_expression_that_differs_is_refused(expressed, expression):
    """Where the two engines come to agree, it can be let through."""
    with pytest.raises((AssertionError, SqlRejected, TrinoError)):
        expressed.both(selected(expression))


def test_a_server_that_cannot_start_says_why(tmp_path, monkeypatch, server):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(TrinoUnavailable, match="there is no mvn"), trino(tmp_path):
        pass


def test_an_error_of_trino_keeps_its_message(server):
    with pytest.raises(TrinoError, match="does not exist"):
        server.run("SELECT * FROM nowhere")

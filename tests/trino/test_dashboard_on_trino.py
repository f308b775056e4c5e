"""The Grafana dashboard's queries on a real Trino: the same rows as on DuckDB, and partitions known at planning.

Run by `make trino`.
"""

import json

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from tests.shipped.test_dashboard import ASKED, LOOKING, store_fleet
from tests.trino.server import FolderLake, trino

pytestmark = [pytest.mark.trino, pytest.mark.timeout(1_200)]
PARTITIONS = {"snap_hour", "day"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, request):
    if "trino" not in request.config.getoption("-m"):
        pytest.skip("it takes Java, Maven and a minute: pytest -m trino")
    with trino(tmp_path_factory.mktemp("trino")) as server:
        yield server


@pytest.fixture(scope="module")
def lakes(server, tmp_path_factory):
    """A lake with sample workers and a bare lake, each also a schema of the server by its name."""
    found = {name: FolderLake(tmp_path_factory.mktemp(name)) for name in ("filled", "bare")}
    store_fleet(found["filled"])
    for name, lake in found.items():
        server.create_tables(lake, name)
    return found


def plain(row):
    """Doubles to nine digits: sums run in another order."""
    return [round(value, 9) if isinstance(value, float) else value for value in row.values()]


@pytest.mark.parametrize("name", ["filled", "bare"])
@pytest.mark.parametrize("title", ASKED)
def test_a_panel_finds_the_same_on_both_engines(server, lakes, title, name):
    sent = LOOKING.sent(ASKED[title]["rawSQL"])
    by_trino = server.run(sent, schema=name)
    by_duckdb = DuckEngine(lakes[name]).run(sent).rows
    assert [list(row) for row in by_trino] == [list(row) for row in by_duckdb]
    assert [plain(row) for row in by_trino] == [plain(row) for row in by_duckdb]
    assert bool(by_trino) == (name == "filled")


@pytest.mark.parametrize("title", ASKED)
def test_the_planner_knows_the_partitions(server, lakes, title):
    plan = server.run(
        f"EXPLAIN (TYPE IO, FORMAT JSON) {LOOKING.sent(ASKED[title]['rawSQL'])}", schema="filled"
    )
    tables = json.loads(next(iter(plan[0].values())))["inputTableColumnInfos"]
    assert tables
    for table in tables:
        chosen = {c["columnName"] for c in table["columnConstraints"]} & PARTITIONS
        assert chosen, table["table"]

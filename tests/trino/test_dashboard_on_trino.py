"""What the Grafana dashboard asks, on a real Trino: the same rows as on DuckDB, and partitions chosen while planning.

Run by `make trino`.
"""

import json

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from tests.shipped.test_dashboard import ASKED, LOOKING, plant_fleet
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
    """One with planted workers and one with none, each also a schema of the server's by its name."""
    found = {name: FolderLake(tmp_path_factory.mktemp(name)) for name in ("planted", "bare")}
    plant_fleet(found["planted"])
    for name, lake in found.items():
        server.create_tables(lake, name)
    return found


def plain(row):
    """Doubles to nine digits: sums run in another order."""
    return [round(value, 9) if isinstance(value, float) else value for value in row.values()]


@pytest.mark.parametrize("name", ["planted", "bare"])
@pytest.mark.parametrize("title", ASKED)
def test_a_panel_finds_the_same_on_both_engines(server, lakes, title, name):
    sent = LOOKING.sent(ASKED[title]["rawSQL"])
    by_trino = server.run(sent, schema=name)
    by_duckdb = DuckEngine(lakes[name]).run(sent).rows
    assert [list(row) for row in by_trino] == [list(row) for row in by_duckdb]
    assert [plain(row) for row in by_trino] == [plain(row) for row in by_duckdb]
    assert bool(by_trino) == (name == "planted")


@pytest.mark.parametrize("title", ASKED)
def test_the_partitions_are_known_while_it_is_planned(server, lakes, title):
    plan = server.run(
        f"EXPLAIN (TYPE IO, FORMAT JSON) {LOOKING.sent(ASKED[title]['rawSQL'])}", schema="planted"
    )
    tables = json.loads(next(iter(plan[0].values())))["inputTableColumnInfos"]
    assert tables
    for table in tables:
        chosen = {c["columnName"] for c in table["columnConstraints"]} & PARTITIONS
        assert chosen, table["table"]

"""athena/grafana/fleet.json: what each panel asks is Athena's SQL, has the answer that it must, and reads little."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
import trino_query_parser

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.schema import SNAPSHOTS, TABLES
from deployctl.sandbox.athena.sql_portability import portability_issues
from tests.fakes.fleet_lake import (
    NOON,
    failed,
    left_behind,
    released,
    seen,
    snapshot_id,
    span,
    store_release,
    store_snapshot,
    store_spans,
    target,
)
from tests.fakes.storage import FakeLake
from tests.shipped.draw_dashboard import ATHENA, COLUMNS, FILE, INPUT, PLUGIN, draw
from tests.shipped.grafana import Dashboard

SHIPPED = json.loads(FILE.read_text(encoding="utf-8"))
PANELS = [p for top in SHIPPED["panels"] for p in (top, *top.get("panels", ())) if p["type"] != "row"]
VARIABLES = {v["name"]: v for v in SHIPPED["templating"]["list"]}
ASKED = {
    **{p["title"]: p["targets"][0] for p in PANELS},
    **{f"${name}": v["query"] for name, v in VARIABLES.items() if v["type"] == "query"},
    **{f"marks: {a['name']}": a["target"] for a in SHIPPED["annotations"]["list"]},
}
SCHEMA = {t.name: {**t.sql_columns, t.partition: "varchar"} for t in TABLES.values()}
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ATHENA_BILLS_AT_LEAST = 10_000_000
HISTORY_CUTOFF = 1_000_000_000


def chosen(at=NOON, **others):
    hour = SNAPSHOTS.partition_value(at)
    usual = {
        "datasource": "athena",
        "application": "shop",
        "snapshot": f"{hour}/{snapshot_id(at)}",
        "minutes": "15",
        "group": "video",
        "worker": "i-3",
    }
    return {**usual, **others}


#: Two days, so that a step is 12 minutes.
LOOKING = Dashboard(began_at=NOON - 2 * DAY, ended_at=NOON, chosen=chosen())


class RecordingLake(FakeLake):
    """Notes what is read."""

    def __init__(self):
        super().__init__()
        self.reads = []

    def read(self, key):
        self.reads.append(key)
        return super().read(key)


@pytest.fixture(params=ASKED, ids=list(ASKED))
def title(request):
    return request.param


def test_the_dashboard_is_the_one_that_the_generator_draws(tmp_path):
    draw(tmp_path / "fleet.json")
    assert (tmp_path / "fleet.json").read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8"), (
        "draw it again: python -m tests.shipped.draw_dashboard"
    )


def test_trinos_own_grammar_parses_each_query(title):
    trino_query_parser.parse_statement(LOOKING.sent(ASKED[title]["rawSQL"]))


def test_each_query_means_the_same_on_both_engines(title):
    assert portability_issues(LOOKING.sent(ASKED[title]["rawSQL"]), SCHEMA) == []


def test_each_query_bounds_the_partitions_of_its_tables(title):
    text = ASKED[title]["rawSQL"]
    mentions = len(re.findall(r"(?:FROM|JOIN) (?:fleet_|releases|deployment_)", text))
    bounds = len(re.findall(r"\b(?:snap_hour|day) (?:=|>=|BETWEEN) ", text))
    assert 0 < mentions == bounds


def test_only_panels_of_the_row_now_read_raw_snapshots():
    history = [
        t
        for t in ASKED
        if t.startswith(("Versions", "Workers behind over", "Releases", "How ", "Groups never", "marks"))
    ]
    assert len(history) == 9
    for each in (*history, "What ${worker} was", "Deployments of ${worker}"):
        assert "fleet_snapshots" not in ASKED[each]["rawSQL"]


# The answer of each query.


def store_fleet(lake):
    """Three groups of shop, another application's workers, and rows outside the range, which no answer may count."""
    lost = failed(
        "i-6",
        "mail",
        instance_state="terminated",
        target_status="Failed",
        target_event_status="Succeeded",
        target_deployment_status="Stopped",
        state_reason_code="Server.SpotInstanceTermination",
    )
    new = seen("i-5", "mail", tag_version=None, tag_sequence=None, launched_at=NOON - timedelta(minutes=10))
    strange = seen("i-7", "strange", desired_version=None, tag_version=None)
    now = [seen("i-1"), seen("i-2"), failed("i-3"), left_behind("i-4", "mail"), new, lost, strange]
    store_snapshot(lake, now)
    store_snapshot(lake, [left_behind(f"i-{n}") for n in range(4)], NOON - 20 * timedelta(minutes=1))
    store_snapshot(lake, [seen("i-9", application="blog")], NOON + timedelta(seconds=5))
    store_snapshot(lake, [left_behind("i-8")], NOON - 3 * HOUR)
    store_spans(lake, spans_of_shop())
    store_spans(lake, [span("i-9", NOON - DAY, NOON - HOUR, application="blog")])
    store_releases(lake)


def midnight(days_ago):
    return NOON.replace(hour=0) - days_ago * DAY


def spans_of_shop():
    """i-1 goes from v1 to v2 yesterday at noon, i-3 stays on v1; i-6 was lost, and i-0 lies before the range."""
    turned = NOON - DAY
    stayed = {"desired_version": "v2", "category": "stale", "cause": "not-a-target"}
    now_v2 = {"desired_version": "v2", "deployed_version": "v2"}
    return [
        span("i-0", midnight(3), midnight(2)),
        *(span(f"i-{n}", midnight(2), midnight(1)) for n in (1, 3)),
        span("i-1", midnight(1), turned),
        span("i-3", midnight(1), turned),
        span("i-1", turned, midnight(0), **now_v2),
        span("i-3", turned, midnight(0), **stayed),
        span("i-5", turned, midnight(0), group_name="mail", deployed_version=None, category="never-tagged"),
        span("i-6", turned, midnight(0), category="terminated-mid-deploy"),
    ]


YESTERDAY, TODAY = NOON - DAY, NOON - HOUR


def store_releases(lake):
    """r-1 fails in mail; r-2 goes to video only. Releases of another application or time do not count."""
    mail = released(
        "r-1",
        YESTERDAY - timedelta(minutes=1),
        group_name="mail",
        verdict="failed",
        reason="1 of 2 workers failed",
        workers_verified=1,
        workers_failed=1,
        strategy="one",
    )
    bad = target(
        "r-1",
        "i-3",
        YESTERDAY,
        40,
        status="Failed",
        verdict="failed",
        error_code="ScriptFailed",
        script="hooks/validate_service.sh",
        log_tail="no database\n",
    )
    store_release(
        lake, YESTERDAY, [released("r-1", YESTERDAY), mail], [target("r-1", "i-1", YESTERDAY, 100), bad]
    )
    again = released("r-2", TODAY, verdict="partial", workers_failed=1, workers_verified=1)
    held = released("r-3", TODAY + timedelta(minutes=20))
    store_release(lake, TODAY, [again], [target("r-2", "i-1", TODAY, 999)])
    store_release(lake, held.finished_at, [held], [target("r-3", "i-1", held.finished_at, 300)])
    store_release(lake, NOON, [released("r-9", NOON, application="blog")])
    store_release(
        lake, NOON - 9 * DAY, [released("r-0", NOON - 9 * DAY)], [target("r-0", "i-1", NOON - 9 * DAY, 1)]
    )


@pytest.fixture(scope="module")
def lake():
    filled = RecordingLake()
    store_fleet(filled)
    return filled


@pytest.fixture
def ask(lake):
    """The answer to the question of this title; each row as a dict of the columns asked for, all by default."""

    def ask(title, *columns, looking=LOOKING):
        rows = DuckEngine(lake).run(looking.sent(ASKED[title]["rawSQL"])).rows
        return [tuple(row[c] for c in columns or row) for row in rows]

    return ask


def naive(at):
    return at.replace(tzinfo=None)


ANSWERS = {
    "The fleet": [(6, 2, 0, 3, 2, 0.0)],
    "By category": [
        ("current", 2),
        ("failed", 1),
        ("launched-after-release", 1),
        ("not-managed", 1),
        ("stale", 1),
        ("terminated-mid-deploy", 1),
    ],
    "Workers behind for ${minutes} minutes and more": [
        ("i-4", "mail", "stale", "not-a-target", 40, "v1", "v2"),
        ("i-3", "video", "failed", "script-failed", 40, "v1", "v2"),
    ],
    "Groups": [
        ("mail", "v2", "verified", 2, 0, 0, 2, 40),
        ("video", "v2", "verified", 3, 2, 0, 1, 40),
        ("strange", None, "verified", 1, 0, 0, 0, None),
    ],
    "Releases": [
        ("v2", 1, 0, 2, 0, 0, 300.0, "ci", "r-3"),
        ("v2", 1, 1, 2, 1, 0, 300.0, "ci", "r-2"),
        ("v2", 2, 1, 4, 1, 0, 360.0, "ci", "r-1"),
    ],
    "How long a group takes": [("video", "half", 100.0, 300.0, 2)],
    # Of r-1 there is i-3, which never was on v2.
    "How soon workers are current": [
        ("r-1", 2, 1, 6.0, None, None),
        ("r-2", 1, 1, 5.0, 5.0, 5.0),
        ("r-3", 1, 1, 5.0, 5.0, 5.0),
    ],
    "Groups never reached": [("r-1", "mail", "failed", "1 of 2 workers failed")],
    "Workers of ${group}": [
        ("i-3", "failed", "script-failed", 40),
        ("i-1", "current", None, 0),
        ("i-2", "current", None, 0),
    ],
    "Releases to ${group}": [
        ("v2", "verified", "half", 2, 2, 0, 0, 300.0, None, "d-r-3"),
        ("v2", "partial", "half", 2, 1, 0, 1, 300.0, None, "d-r-2"),
        ("v2", "verified", "half", 2, 2, 0, 0, 300.0, None, "d-r-1"),
    ],
    "${worker} now": [("failed", "script-failed", 40, "v1", "v2", "failed", "video")],
    "What ${worker} was": [
        (720, "video", "stale", "not-a-target", "v1", "v2"),
        (720, "video", "current", None, "v1", "v1"),
        (1440, "video", "current", None, "v1", "v1"),
    ],
    "Deployments of ${worker}": [
        ("v2", "failed", "Failed", "ValidateService", "ScriptFailed", "hooks/validate_service.sh")
    ],
    "$application": [("blog",), ("shop",)],
    "$snapshot": [
        ("2026-11-22 12:00:00", "2026-11-22-12/s-20261122T120000-3f9a1c"),
        ("2026-11-22 11:40:00", "2026-11-22-11/s-20261122T114000-3f9a1c"),
    ],
    "$group": [("mail",), ("strange",), ("video",)],
    "$worker": [("i-1",), ("i-2",), ("i-3",)],
    "marks: Releases": [
        ("v2: 1 of 2 groups do not hold", "release"),
        ("v2: 1 of 1 groups do not hold", "release"),
        ("v2: every group verified", "release"),
    ],
}
OF_COLUMNS = {
    "Workers behind for ${minutes} minutes and more": (
        "instance_id group_name category cause minutes_behind deployed_version desired_version"
    ),
    "Releases": (
        "version groups_released groups_not_verified workers workers_failed workers_excused took_s actor release_id"
    ),
    "How soon workers are current": "release_id workers reached minutes_50 minutes_95 minutes_100",
    "Groups never reached": "release_id group_name verdict reason",
    "Workers of ${group}": "instance_id category cause minutes_behind",
    "Releases to ${group}": (
        "version verdict strategy workers workers_verified workers_excused workers_failed took_s reason deployment_id"
    ),
    "${worker} now": "category cause minutes_behind deployed_version desired_version desired_verdict group_name",
    "What ${worker} was": "minutes group_name category cause deployed_version desired_version",
    "Deployments of ${worker}": "version verdict status event error_code script",
    "marks: Releases": "text tags",
}
OVER_TIME = {"Versions over time", "Workers behind over time", "Versions in ${group} over time"}


def test_every_query_has_an_expected_answer():
    assert set(ASKED) == set(ANSWERS) | OVER_TIME


@pytest.mark.parametrize("title", ANSWERS)
def test_each_query_gives_the_expected_answer(ask, title):
    assert ask(title, *OF_COLUMNS.get(title, "").split()) == ANSWERS[title]


def steps(answer):
    """Label and number at each of these times of yesterday and the day before, `-` where there is none."""
    found = {}
    for at, label, workers in answer:
        found.setdefault(at, {})[label] = workers
    times = {
        "before": NOON - timedelta(hours=30),
        "last of the old": YESTERDAY - timedelta(minutes=12),
        "turned": YESTERDAY,
        "today": NOON - timedelta(hours=11),
    }
    return {name: found.get(naive(at), {}) for name, at in times.items()}


def test_versions_over_time_are_counted_at_each_step_and_a_day_without_spans_is_a_gap(ask):
    assert steps(ask("Versions over time")) == {
        "before": {"v1": 2},
        "last of the old": {"v1": 2},
        "turned": {"v1": 1, "v2": 1, "no version": 1},
        "today": {},
    }


def test_workers_behind_over_time_are_counted_by_category(ask):
    assert steps(ask("Workers behind over time")) == {
        "before": {},
        "last of the old": {},
        "turned": {"stale": 1, "never-tagged": 1},
        "today": {},
    }


def test_a_group_over_time_shows_that_group_alone(ask):
    turned = steps(ask("Versions in ${group} over time"))["turned"]
    assert turned == {"v1": 1, "v2": 1}


@pytest.mark.parametrize("title", sorted(OVER_TIME))
def test_a_range_of_any_length_has_as_many_steps(ask, title):
    wide = replace(LOOKING, began_at=NOON - 60 * DAY)
    assert len({row[0] for row in ask(title, looking=wide)}) <= 241
    times = [row[0] for row in ask(title)]
    assert times == sorted(times)


def test_without_a_snapshot_there_are_no_figures_that_look_like_all_is_well(ask):
    later = replace(LOOKING, ended_at=NOON + DAY, chosen=chosen(snapshot=""))
    for title in ("The fleet", "By category", "Groups", "$snapshot"):
        assert ask(title, looking=later) == []


def test_an_earlier_snapshot_can_be_chosen(ask):
    earlier = replace(LOOKING, chosen=chosen(NOON - timedelta(minutes=20)))
    assert ask("By category", looking=earlier) == [("stale", 4)]


@pytest.mark.parametrize(("minutes", "behind"), [("0", 3), ("15", 2), ("60", 0)])
def test_how_long_behind_is_a_choice(ask, minutes, behind):
    looking = replace(LOOKING, chosen=chosen(minutes=minutes))
    assert len(ask("Workers behind for ${minutes} minutes and more", looking=looking)) == behind
    assert minutes in VARIABLES["minutes"]["query"].split(",")


def test_names_with_quotes_stay_names(lake, title):
    name = "o'brien's'; DROP TABLE releases -- cost$center"
    looking = replace(LOOKING, chosen=chosen(application=name, group=name, worker=name, snapshot=name))
    assert DuckEngine(lake).run(looking.sent(ASKED[title]["rawSQL"])).rows in (
        [],
        [{"application": "blog"}, {"application": "shop"}],
    )


# What it reads.


def fleet_of(lake, *, groups, workers, days):
    """A busy fleet: a snapshot each quarter of an hour today, spans of every day, a release a day."""
    chance = Random(7)  # equal rows would be packed into nothing
    names = [(f"group-{n % groups:03}", f"i-{chance.randbytes(8).hex()}0") for n in range(workers)]
    for quarter in range(12):
        at = NOON - quarter * timedelta(minutes=15)
        behind = quarter + 1
        rows = [(failed if n % 50 < behind else seen)(i, g) for n, (g, i) in enumerate(names)]
        store_snapshot(lake, rows, at)
    for day in range(1, days + 1):
        began = midnight(day)
        turned = [began + timedelta(hours=10, seconds=chance.randrange(900)) for _ in names]
        store_spans(
            lake,
            [
                s
                for (g, i), at in zip(names, turned, strict=True)
                for s in (
                    span(i, began, at, group_name=g, deployed_version=f"v{99 - day}"),
                    span(i, at, began + DAY, group_name=g, deployed_version=f"v{100 - day}"),
                )
            ],
        )
        store_release(
            lake,
            began + 11 * HOUR,
            [released(f"r-{day}", at, group_name=f"group-{n:03}") for n, at in enumerate(turned[:groups])],
            [
                target(
                    f"r-{day}",
                    i,
                    at,
                    chance.uniform(60, 200),
                    group_name=g,
                    log_tail=chance.randbytes(60).hex(),
                )
                for (g, i), at in zip(names, turned, strict=True)
            ],
        )


def scanned(lake, looking):
    engine = DuckEngine(lake)
    return {title: engine.run(looking.sent(q["rawSQL"])).bytes_scanned for title, q in ASKED.items()}


def allowed(looking):
    """The partitions of the range."""
    days = {f"{naive(looking.began_at) + n * DAY:%Y-%m-%d}" for n in range(40)}
    days = {d for d in days if d <= f"{looking.ended_at:%Y-%m-%d}"}
    hours = {SNAPSHOTS.partition_value(looking.ended_at - n * HOUR) for n in (0, 1)}
    return days, hours


def test_only_the_partitions_of_the_range_are_read(lake, title):
    lake.reads.clear()
    DuckEngine(lake).run(LOOKING.sent(ASKED[title]["rawSQL"]))
    days, hours = allowed(LOOKING)
    assert lake.reads
    for key in lake.reads:
        value = re.search(r"=([0-9-]+)/", key)[1]
        assert value in (hours if key.startswith("fleet_snapshots/") else days), key


def test_a_refresh_of_300_workers_over_a_week_costs_the_least_that_athena_bills(figures):
    lake = FakeLake()
    fleet_of(lake, groups=50, workers=300, days=9)
    looking = replace(LOOKING, began_at=NOON - 7 * DAY)
    read = scanned(lake, looking)
    for title, size in sorted(read.items(), key=lambda item: -item[1]):
        figures(f"grafana, 300 workers, 7 days: {size / 1e6:7.3f} MB  {title}")
    assert max(read.values()) < ATHENA_BILLS_AT_LEAST


@pytest.mark.soak
def test_a_refresh_of_10_000_workers_over_a_month_stays_far_from_the_workgroups_limit(figures):
    lake = FakeLake()
    fleet_of(lake, groups=500, workers=10_000, days=31)
    looking = replace(LOOKING, began_at=NOON - 30 * DAY)
    read = scanned(lake, looking)
    for title, size in sorted(read.items(), key=lambda item: -item[1]):
        figures(f"grafana, 10,000 workers, 30 days: {size / 1e6:7.3f} MB  {title}")
    assert max(read.values()) < HISTORY_CUTOFF / 10


# That Grafana takes it.


def test_an_import_asks_for_the_data_source_and_chooses_it():
    (asked,) = SHIPPED["__inputs"]
    assert (asked["name"], asked["type"], asked["pluginId"]) == (INPUT, "datasource", PLUGIN)
    assert VARIABLES["datasource"]["current"]["value"] == f"${{{INPUT}}}"
    assert SHIPPED["id"] is None
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", SHIPPED["uid"])
    assert SHIPPED["schemaVersion"] >= 36


def test_every_panel_asks_the_data_source_that_is_chosen(title):
    assert ASKED[title]["datasource"] == ATHENA.to_json()


def test_panels_have_ids_of_their_own_and_lie_beside_each_other():
    assert len({p["id"] for p in PANELS}) == len(PANELS)
    cells = [
        (p["gridPos"]["x"] + x, p["gridPos"]["y"] + y)
        for p in PANELS
        for x in range(p["gridPos"]["w"])
        for y in range(p["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_panel_says_what_it_answers_and_what_it_means_when_it_is_empty():
    for panel in PANELS:
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["noValue"]


def test_every_column_has_a_caption_and_every_caption_a_column(lake):
    for panel in PANELS:
        if panel["title"] in OVER_TIME:
            continue
        sent = LOOKING.sent(panel["targets"][0]["rawSQL"])
        columns = DuckEngine(lake).run(sent).rows[0].keys()
        said = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert said <= set(columns), panel["title"]
        assert set(columns) - said <= {"asg"}, panel["title"]
        assert said <= set(COLUMNS)


def test_costly_queries_run_only_on_demand():
    assert not SHIPPED["refresh"]
    rows = {p["title"]: p for p in SHIPPED["panels"] if p["type"] == "row"}
    assert [t for t, row in rows.items() if row["collapsed"]] == ["Group ${group}", "Worker ${worker}"]
    assert min(SHIPPED["timepicker"]["refresh_intervals"], key=lambda text: int(text[:-1])) == "1h"
    assert "s" not in "".join(SHIPPED["timepicker"]["refresh_intervals"])
    later = [p["title"] for row in rows.values() for p in row["panels"]]
    documentation = (FILE.parents[2] / "docs" / "grafana.md").read_text(encoding="utf-8")
    assert f"Opening the dashboard asks {len(ASKED) - len(later)} queries" in documentation


def test_the_documentation_says_what_each_panel_answers():
    text = (FILE.parents[2] / "docs" / "grafana.md").read_text(encoding="utf-8")
    for panel in PANELS:
        assert f"| {panel['title']} |" in text


def test_a_time_is_filled_in_as_the_plugin_does():
    at = datetime.fromisoformat("2026-11-22T13:30:00+01:00")
    looking = Dashboard(began_at=at, ended_at=at, chosen={"a": "x"})
    assert looking.sent("$__rawTimeFrom('yyyy-MM-dd-HH') < $__timeTo()") == (
        "'2026-11-22-12' < TIMESTAMP '2026-11-22 12:30:00'"
    )
    with pytest.raises(ValueError, match="unfilled"):
        looking.sent("SELECT $a")

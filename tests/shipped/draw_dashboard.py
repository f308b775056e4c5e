"""Draws athena/grafana/fleet.json, the Grafana dashboard over the lake: `python -m tests.shipped.draw_dashboard`.

It is built from athena/queries: draw it again where those change.
"""

import json
from pathlib import Path

from grafana_foundation_sdk.builders import athena, common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import athena as athena_models
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    VariableOption,
    VariableRefresh,
)

from deployctl.assets import athena_dir
from deployctl.model.cause import Category
from tests.shipped import dashboard_sql as sql

FILE = athena_dir() / "grafana" / "fleet.json"
PLUGIN = "grafana-athena-datasource"
INPUT = "DS_ATHENA"
UID = "deployctl-fleet"
ATHENA = DataSourceRef(type_val=PLUGIN, uid="${datasource}")
MINUTES = (0, 5, 15, 30, 60, 180, 720, 1440)
GREEN, YELLOW, RED, BLUE, GREY = "green", "semi-dark-yellow", "red", "blue", "#8e8e8e"
NO_SNAPSHOT = "No snapshot in the last two hours of this range: deployctl snapshot, or deployctl reconcile"
NO_SPANS = "No spans in this range: deployctl athena compact, once a day"
NO_RELEASES = "No release ended in this range"
FULL, HALF = 24, 12
SETTLED = {
    Category.CURRENT: GREEN,
    Category.DEPLOYING: BLUE,
    Category.NOT_MANAGED: GREY,
    Category.TERMINATED_MID_DEPLOY: GREY,
}


def asked(rawsql, shape=athena_models.FormatOptions.TABLE):
    return athena.Dataquery().ref_id("A").format(shape).raw_sql(rawsql).datasource(ATHENA)


def fixed(color):
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def called(name):
    return DynamicConfigValue(id_val="displayName", value=name)


def wide(pixels):
    return DynamicConfigValue(id_val="custom.width", value=pixels)


def in_unit(unit):
    return DynamicConfigValue(id_val="unit", value=unit)


def alarm(*, at=1, from_color=GREEN, color=RED):
    """The cell is coloured from so many on."""
    steps = [{"color": from_color, "value": None}, {"color": color, "value": at}]
    return [
        DynamicConfigValue(id_val="color", value={"mode": "thresholds"}),
        DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps}),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
    ]


def led_to(variable, field):
    """A click on the cell chooses its value in this variable, and keeps the others as they are."""
    keep = "${datasource:queryparam}&${application:queryparam}&${minutes:queryparam}&${__url_time_range}"
    if variable == "worker":
        keep += "&var-group=${__data.fields.group_name}"
    url = f"/d/{UID}?{keep}&var-{variable}=${{__data.fields.{field}}}"
    return DynamicConfigValue(id_val="links", value=[{"title": f"This {variable}", "url": url}])


def by_category():
    return DynamicConfigValue(
        id_val="mappings",
        value=[
            {
                "type": "value",
                "options": {
                    c.value: {"color": SETTLED.get(c, RED), "index": n} for n, c in enumerate(Category)
                },
            }
        ],
    )


COLUMNS = {
    "instance_id": ("Worker", [wide(180), led_to("worker", "instance_id")]),
    "group_name": ("Group", [wide(200), led_to("group", "group_name")]),
    "category": (
        "Category",
        [
            wide(190),
            by_category(),
            DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
        ],
    ),
    "cause": ("Cause", [wide(230)]),
    "minutes_behind": ("Behind for", [wide(110), in_unit("m"), *alarm(from_color=YELLOW, at=30)]),
    "longest_minutes": ("Longest behind", [in_unit("m"), *alarm(from_color=YELLOW, at=30)]),
    "deployed_version": ("Runs", []),
    "desired_version": ("Desired", []),
    "desired_verdict": ("Verdict of desired", []),
    "evidence": ("Evidence", [wide(700)]),
    "workers": ("Workers", []),
    "as_desired": ("As desired", [fixed(GREEN)]),
    "deploying": ("Deploying", [fixed(BLUE)]),
    "behind": ("Behind", alarm()),
    "behind_for_long": ("Behind for ${minutes} minutes and more", alarm()),
    "seen_minutes_ago": ("Seen", [in_unit("m"), *alarm(from_color=GREY, at=90, color=YELLOW)]),
    "started_at": ("Began", [wide(170)]),
    "began_at": ("From", [wide(170)]),
    "ended_at": ("Until", [wide(170)]),
    "minutes": ("For", [in_unit("m")]),
    "version": ("Version", []),
    "verdict": ("Verdict", []),
    "strategy": ("Strategy", []),
    "groups_released": ("Groups", []),
    "groups_not_verified": ("Groups not verified", alarm()),
    "workers_verified": ("Workers verified", []),
    "workers_failed": ("Workers failed", alarm()),
    "workers_excused": ("Workers excused", []),
    "took_s": ("Took", [in_unit("s")]),
    "p50_s": ("P50", [in_unit("s")]),
    "p95_s": (
        "P95",
        [
            in_unit("s"),
            DynamicConfigValue(id_val="custom.cellOptions", value={"type": "gauge", "mode": "basic"}),
        ],
    ),
    "releases": ("Verified releases", []),
    "reached": ("Current", []),
    "minutes_50": ("Half after", [in_unit("m")]),
    "minutes_95": ("95 of 100 after", [in_unit("m")]),
    "minutes_100": ("All after", [in_unit("m")]),
    "actor": ("By", []),
    "release_id": ("Release", [wide(220)]),
    "deployment_id": ("Deployment", [wide(140)]),
    "reason": ("Reason", [wide(400)]),
    "status": ("CodeDeploy's status", []),
    "event": ("Lifecycle event", []),
    "error_code": ("Error code", []),
    "script": ("Script", []),
    "message": ("Message", [wide(400)]),
    "log_tail": ("Log", [wide(500), DynamicConfigValue(id_val="custom.inspect", value=True)]),
}


def placed(panel, title, description, rawsql, *, w, h, empty):
    return (
        panel.title(title)
        .description(description)
        .datasource(ATHENA)
        .span(w)
        .height(h)
        .no_value(empty)
        .with_target(rawsql)
    )


def in_columns(panel, names):
    for name in names.split():
        said, properties = COLUMNS[name]
        panel = panel.override_by_name(name, [called(said), *properties])
    return panel


def listed(title, description, rawsql, names, *, w=FULL, h=9, empty):
    panel = table.Panel().filterable(filterable=True).cell_height(common_models.TableCellHeight.SM)
    return in_columns(placed(panel, title, description, asked(rawsql), w=w, h=h, empty=empty), names)


def panel_of(title, description, rawsql, names, *, w, empty=NO_SNAPSHOT):
    panel = (
        stat.Panel()
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .color_mode(common_models.BigValueColorMode.VALUE)
        .text_mode(common_models.BigValueTextMode.VALUE_AND_NAME)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/").values(values=False))
    )
    return in_columns(placed(panel, title, description, asked(rawsql), w=w, h=6, empty=empty), names)


def drawn(title, description, rawsql, label, *, w=HALF, stacked=True):
    """Areas in steps, one a label, on top of each other."""
    panel = (
        timeseries.Panel()
        .display_name(f"${{__field.labels.{label}}}")
        .line_interpolation(common_models.LineInterpolation.STEP_AFTER)
        .line_width(1)
        .fill_opacity(45)
        .show_points(common_models.VisibilityMode.NEVER)
        .min(0)
        .decimals(0)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs(["lastNotNull"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
    )
    shape = athena_models.FormatOptions.TIME_SERIES
    return placed(panel, title, description, asked(rawsql, shape), w=w, h=10, empty=NO_SPANS)


def now(board):
    board.with_row(dashboard.Row("Now"))
    board.with_panel(
        panel_of(
            "The fleet",
            "How many workers run what is desired of them, as the chosen snapshot saw them.",
            sql.FLEET_NOW,
            "workers as_desired deploying behind behind_for_long seen_minutes_ago",
            w=16,
        )
    )
    board.with_panel(
        listed(
            "By category",
            "Every worker is in exactly one category; docs/causes.md explains each.",
            sql.CATEGORIES,
            "category workers",
            w=8,
            h=6,
            empty=NO_SNAPSHOT,
        )
    )
    board.with_panel(
        listed(
            "Workers behind for ${minutes} minutes and more",
            "Which workers are not on the desired version, and why. `deployctl explain WORKER` shows the remedy.",
            sql.WORKERS_BEHIND,
            "instance_id group_name category cause minutes_behind deployed_version desired_version evidence",
            empty="No worker is behind that long; or there is no snapshot in the last two hours of this range",
        )
    )
    board.with_panel(
        listed(
            "Groups",
            "One line a group, those with the most workers behind first. A click chooses the group below.",
            sql.GROUPS_NOW,
            "group_name desired_version desired_verdict workers as_desired deploying behind longest_minutes",
            empty=NO_SNAPSHOT,
        )
    )


def history(board):
    board.with_row(dashboard.Row("Over time"))
    board.with_panel(
        drawn(
            "Versions over time",
            "Workers by the version that they report. Spans cover finished days.",
            sql.VERSIONS_OVER_TIME,
            "version",
        )
    )
    board.with_panel(
        drawn(
            "Workers behind over time",
            "Drifted workers, by category.",
            sql.BEHIND_OVER_TIME,
            "category",
        )
    )
    board.with_panel(
        listed(
            "Releases",
            "Releases that ended in this range, the newest first.",
            sql.RELEASES,
            "started_at version groups_released groups_not_verified workers workers_failed workers_excused"
            " took_s actor release_id",
            w=14,
            empty=NO_RELEASES,
        )
    )
    board.with_panel(
        listed(
            "How long a group takes",
            "From the first worker's first lifecycle event to the last worker's last, in verified releases, by "
            "strategy: the middle one, and the one that 95 of 100 do not exceed.",
            sql.DURATIONS,
            "group_name strategy p50_s p95_s releases",
            w=10,
            empty=NO_RELEASES,
        )
    )
    board.with_panel(
        listed(
            "How soon workers are current",
            "Minutes from a release's beginning until half, 95 of 100, and all of its workers ran the version; "
            "nothing where so many never did.",
            sql.TIME_TO_CURRENT,
            "began_at version workers reached minutes_50 minutes_95 minutes_100 release_id",
            w=14,
            empty=NO_RELEASES,
        )
    )
    board.with_panel(
        listed(
            "Groups never reached",
            "Groups that a release set out for, in which no worker was ever a target of it.",
            sql.NEVER_REACHED,
            "started_at version group_name verdict reason actor deployment_id release_id",
            w=10,
            empty="Every release reached every group that it set out for",
        )
    )


def one_group():
    return (
        dashboard.Row("Group ${group}")
        .collapsed(collapsed=True)
        .with_panel(
            drawn(
                "Versions in ${group} over time",
                "Workers of this group by the version that they report.",
                sql.GROUP_OVER_TIME,
                "version",
                w=FULL,
            )
        )
        .with_panel(
            listed(
                "Workers of ${group}",
                "Each worker of the chosen snapshot. A click chooses the worker below.",
                sql.GROUP_WORKERS,
                "instance_id category cause minutes_behind deployed_version desired_version evidence group_name",
                empty=NO_SNAPSHOT,
            )
        )
        .with_panel(
            listed(
                "Releases to ${group}",
                "The verdict of each release in this group.",
                sql.GROUP_RELEASES,
                "started_at version verdict strategy workers workers_verified workers_excused workers_failed"
                " took_s reason deployment_id",
                empty=NO_RELEASES,
            )
        )
    )


def one_worker():
    return (
        dashboard.Row("Worker ${worker}")
        .collapsed(collapsed=True)
        .with_panel(
            listed(
                "${worker} now",
                "The chosen snapshot of this worker, once for each group that it is in.",
                sql.WORKER_NOW,
                "category cause minutes_behind deployed_version desired_version desired_verdict group_name evidence",
                h=5,
                empty="This snapshot has no such worker",
            )
        )
        .with_panel(
            listed(
                "What ${worker} was",
                "From when until when it was what, on days that are over.",
                sql.WORKER_SPANS,
                "began_at ended_at minutes group_name category cause deployed_version desired_version",
                empty=NO_SPANS,
            )
        )
        .with_panel(
            listed(
                "Deployments of ${worker}",
                "Each target of a release that this worker was, with the lifecycle event that decided it.",
                sql.WORKER_DEPLOYMENTS,
                "started_at ended_at version verdict status event error_code script message log_tail deployment_id",
                empty="No release had this worker as a target in this range",
            )
        )
    )


def variable(name, label, rawsql, description):
    """A variable that Grafana queries again when the range changes, because most variables depend on the range."""
    query = json.loads(json.dumps(asked(rawsql).build(), cls=JSONEncoder))
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(ATHENA)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def variables():
    chosen = VariableOption(text=f"${{{INPUT}}}", value=f"${{{INPUT}}}", selected=True)
    usual = VariableOption(text="15", value="15", selected=True)
    return [
        dashboard.DatasourceVariable("datasource").label("Athena").type(PLUGIN).current(chosen),
        variable("application", "Application", sql.APPLICATIONS, "CodeDeploy's application"),
        variable("snapshot", "Snapshot", sql.SNAPSHOTS, "In UTC; those of the range's last two hours"),
        dashboard.CustomVariable("minutes")
        .label("Behind for minutes")
        .values(",".join(map(str, MINUTES)))
        .allow_custom_value(allow_custom_value=False)
        .current(usual)
        .options([VariableOption(text=str(n), value=str(n), selected=n == 15) for n in MINUTES]),
        variable("group", "Group", sql.GROUPS, "The group of the row below"),
        variable(
            "worker", "Worker", sql.WORKERS, "The worker of the row below; any instance id may be typed"
        ),
    ]


def built():
    board = (
        dashboard.Dashboard("deployctl: the fleet")
        .uid(UID)
        .description("Which workers run which version, who is behind and why, and how releases went.")
        .tags(["deployctl"])
        .timezone("utc")
        .time("now-7d", "now")
        .refresh("")
        .timepicker(dashboard.TimePicker().refresh_intervals(["5m", "15m", "30m", "1h"]))
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(variables())
        .annotation(
            dashboard.AnnotationQuery()
            .name("Releases")
            .datasource(ATHENA)
            .enable(enable=True)
            .icon_color(BLUE)
            .target(asked(sql.RELEASE_MARKS).ref_id("Releases"))
        )
    )
    now(board)
    history(board)
    board.with_row(one_group())
    board.with_row(one_worker())
    return numbered(json.loads(json.dumps(board.build(), cls=JSONEncoder)))


def numbered(model):
    """Panels get their ids in reading order; what an import asks for stands first."""
    every = [p for panel in model["panels"] for p in (panel, *panel.get("panels", ()))]
    for number, panel in enumerate(every, start=1):
        panel["id"] = number
    inputs = [
        {
            "name": INPUT,
            "label": "Athena",
            "description": "Athena, with deployctl's database and the history workgroup",
            "type": "datasource",
            "pluginId": PLUGIN,
            "pluginName": "Amazon Athena",
        }
    ]
    requires = [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.0.0"},
        {"type": "datasource", "id": PLUGIN, "name": "Amazon Athena", "version": "2.9.3"},
        *(
            {"type": "panel", "id": kind, "name": kind, "version": ""}
            for kind in ("stat", "table", "timeseries")
        ),
    ]
    return {"__inputs": inputs, "__requires": requires, "id": None, **model}


def draw(path: Path):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(built(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    draw(FILE)

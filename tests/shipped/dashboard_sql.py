"""The questions of the Grafana dashboard, in Athena's SQL with Grafana's variables and macros in it.

Macros are those of Grafana's Athena plugin; `${name:sqlstring}` is a variable's value as a quoted literal, its
quotes doubled. What athena/queries answers already is taken from there.
"""

from textwrap import indent

from deployctl.assets import query
from deployctl.lake.sql import bind
from deployctl.model.cause import Category

APPLICATION = "${application:sqlstring}"
GROUP = "${group:sqlstring}"
WORKER = "${worker:sqlstring}"
MINUTES = "${minutes}"

#: The variable `snapshot` is the snapshot's hour and its id, so that the hour is known while a query is planned.
SNAPSHOT_ID = "SUBSTR(${snapshot:sqlstring}, 15)"
SNAPSHOT_HOUR = "COALESCE(NULLIF(SUBSTR(${snapshot:sqlstring}, 1, 13), ''), $__rawTimeTo('yyyy-MM-dd-HH'))"
FROM_DAY, TO_DAY = "$__rawTimeFrom('yyyy-MM-dd')", "$__rawTimeTo('yyyy-MM-dd')"
DAYS = f"day BETWEEN {FROM_DAY} AND {TO_DAY}"
#: A snapshot is looked for in the range's last two hours.
LAST_HOURS = (
    "snap_hour BETWEEN DATE_FORMAT($__timeTo() - INTERVAL '1' HOUR, '%Y-%m-%d-%H')"
    " AND $__rawTimeTo('yyyy-MM-dd-HH')"
)
#: Into how many steps a range is cut, however long it is.
STEPS = 240

DRIFT = ", ".join(f"'{c.value}'" for c in Category if c.is_drift)
GONE = f"'{Category.TERMINATED_MID_DEPLOY.value}'"


def shipped(name: str, *parameters: str) -> str:
    """A query of athena/queries with its parameters filled in, without its comments."""
    lines = [line for line in query(name).splitlines() if not line.strip().startswith("--")]
    return bind("\n".join(line for line in lines if line.strip()), parameters)


def judged(select: str) -> str:
    """Ask this of the chosen snapshot's workers as `reconcile.sql` judges them."""
    reconcile = shipped("reconcile", SNAPSHOT_HOUR, SNAPSHOT_ID, APPLICATION)
    return f"WITH reconciled AS (\n{indent(reconcile, '    ')}\n)\n\n{select.strip()}\n"


def over_time(label: str, condition: str) -> str:
    """How many workers there were of each `label`, at each step of the range, from the spans."""
    return f"""\
WITH moment AS (
    SELECT
        CAST(
            FROM_UNIXTIME(
                TO_UNIXTIME($__timeFrom())
                + step.n * (TO_UNIXTIME($__timeTo()) - TO_UNIXTIME($__timeFrom())) / {STEPS}e0
            ) AS timestamp
        ) AS seen_at
    FROM UNNEST(SEQUENCE(0, {STEPS})) AS step (n)
)

SELECT
    moment.seen_at AS "time",
    {label},
    COUNT(*) AS workers
FROM moment
INNER JOIN fleet_spans ON fleet_spans.began_at <= moment.seen_at AND moment.seen_at < fleet_spans.ended_at
WHERE {DAYS}
    AND application = {APPLICATION}
    AND {condition}
GROUP BY 1, 2
ORDER BY 1, 2
"""


VERSION = "COALESCE(fleet_spans.deployed_version, 'no version') AS version"

APPLICATIONS = f"""\
SELECT application FROM releases WHERE {DAYS}
UNION
SELECT application FROM fleet_spans WHERE {DAYS}
UNION
SELECT application FROM fleet_snapshots WHERE {LAST_HOURS}
ORDER BY application
"""

SNAPSHOTS = f"""\
SELECT
    DATE_FORMAT(MAX(snapshot_at), '%Y-%m-%d %H:%i:%s') AS text,
    CONCAT(snap_hour, '/', snapshot_id) AS value
FROM fleet_snapshots
WHERE {LAST_HOURS}
    AND application = {APPLICATION}
GROUP BY snap_hour, snapshot_id
ORDER BY MAX(snapshot_at) DESC
LIMIT 200
"""

GROUPS = f"""\
SELECT group_name
FROM fleet_snapshots
WHERE snap_hour = {SNAPSHOT_HOUR}
    AND snapshot_id = {SNAPSHOT_ID}
    AND application = {APPLICATION}
UNION
SELECT group_name
FROM releases
WHERE {DAYS}
    AND application = {APPLICATION}
ORDER BY group_name
"""

WORKERS = f"""\
SELECT instance_id
FROM fleet_snapshots
WHERE snap_hour = {SNAPSHOT_HOUR}
    AND snapshot_id = {SNAPSHOT_ID}
    AND application = {APPLICATION}
    AND group_name = {GROUP}
UNION
SELECT instance_id
FROM deployment_targets
WHERE {DAYS}
    AND application = {APPLICATION}
    AND group_name = {GROUP}
ORDER BY instance_id
"""

RELEASE_MARKS = f"""\
SELECT
    MIN(started_at) AS "time",
    MAX(finished_at) AS timeend,
    CONCAT(
        version,
        CASE
            WHEN COUNT_IF(verdict NOT IN ('verified', 'held', 'empty')) = 0 THEN ': every group verified'
            ELSE CONCAT(
                ': ', CAST(COUNT_IF(verdict NOT IN ('verified', 'held', 'empty')) AS varchar), ' of ',
                CAST(COUNT(*) AS varchar),
                ' groups do not hold'
            )
        END
    ) AS text,
    'release' AS tags
FROM releases
WHERE {DAYS}
    AND application = {APPLICATION}
    AND finished_at BETWEEN $__timeFrom() AND $__timeTo()
GROUP BY release_id, version
ORDER BY 1
"""

# Without a snapshot there is no row, rather than noughts that look as if all were well.
FLEET_NOW = judged(f"""
SELECT
    COUNT_IF(category <> {GONE}) AS workers,
    COUNT_IF(category = 'current') AS as_desired,
    COUNT_IF(category = 'deploying') AS deploying,
    COUNT_IF(category IN ({DRIFT})) AS behind,
    COUNT_IF(category IN ({DRIFT}) AND minutes_behind >= {MINUTES}) AS behind_for_long,
    FLOOR((TO_UNIXTIME($__timeTo()) - TO_UNIXTIME(MAX(snapshot_at))) / 60e0) AS seen_minutes_ago
FROM reconciled
HAVING COUNT(*) > 0
""")

CATEGORIES = judged("""
SELECT
    category,
    COUNT(*) AS workers
FROM reconciled
GROUP BY category
ORDER BY workers DESC, category
""")

GROUPS_NOW = judged(f"""
SELECT
    group_name,
    MAX(desired_version) AS desired_version,
    MAX(desired_verdict) AS desired_verdict,
    COUNT_IF(category <> {GONE}) AS workers,
    COUNT_IF(category = 'current') AS as_desired,
    COUNT_IF(category = 'deploying') AS deploying,
    COUNT_IF(category IN ({DRIFT})) AS behind,
    MAX(minutes_behind) FILTER (WHERE category IN ({DRIFT})) AS longest_minutes
FROM reconciled
GROUP BY group_name
ORDER BY behind DESC, group_name
""")

WORKERS_BEHIND = judged(f"""
SELECT
    instance_id,
    group_name,
    category,
    cause,
    minutes_behind,
    deployed_version,
    desired_version,
    evidence
FROM reconciled
WHERE category IN ({DRIFT})
    AND minutes_behind >= {MINUTES}
ORDER BY minutes_behind DESC, group_name, instance_id
""")

VERSIONS_OVER_TIME = over_time(VERSION, f"category <> {GONE}")

BEHIND_OVER_TIME = over_time("fleet_spans.category AS category", f"category IN ({DRIFT})")

RELEASES = f"""\
SELECT
    MIN(started_at) AS started_at,
    version,
    COUNT(*) AS groups_released,
    COUNT_IF(verdict NOT IN ('verified', 'held', 'empty')) AS groups_not_verified,
    SUM(workers) AS workers,
    SUM(workers_failed) AS workers_failed,
    SUM(workers_excused) AS workers_excused,
    FLOOR(TO_UNIXTIME(MAX(finished_at)) - TO_UNIXTIME(MIN(started_at))) AS took_s,
    MAX(actor) AS actor,
    release_id
FROM releases
WHERE {DAYS}
    AND application = {APPLICATION}
    AND finished_at BETWEEN $__timeFrom() AND $__timeTo()
GROUP BY release_id, version
ORDER BY started_at DESC, version
"""

TIME_TO_CURRENT = shipped("time_to_current", *(FROM_DAY, APPLICATION) * 3) + "\n"

NEVER_REACHED = shipped("never_reached", *(FROM_DAY, APPLICATION) * 2) + "\n"

DURATIONS = shipped("durations", FROM_DAY, APPLICATION, FROM_DAY, APPLICATION) + "\n"

GROUP_OVER_TIME = over_time(VERSION, f"category <> {GONE}\n    AND group_name = {GROUP}")

GROUP_WORKERS = judged(f"""
SELECT
    instance_id,
    category,
    cause,
    minutes_behind,
    deployed_version,
    desired_version,
    evidence,
    group_name
FROM reconciled
WHERE group_name = {GROUP}
ORDER BY COALESCE(minutes_behind, 0) DESC, instance_id
""")

GROUP_RELEASES = f"""\
SELECT
    started_at,
    version,
    CASE verdict WHEN 'held' THEN 'verified' WHEN 'partly' THEN 'partial' ELSE verdict END AS verdict,
    strategy,
    workers,
    COALESCE(workers_verified, workers_held) AS workers_verified,
    workers_excused,
    workers_failed,
    FLOOR(TO_UNIXTIME(finished_at) - TO_UNIXTIME(started_at)) AS took_s,
    reason,
    deployment_id
FROM releases
WHERE {DAYS}
    AND application = {APPLICATION}
    AND group_name = {GROUP}
    AND finished_at BETWEEN $__timeFrom() AND $__timeTo()
ORDER BY started_at DESC
"""

WORKER_NOW = judged(f"""
SELECT
    category,
    cause,
    minutes_behind,
    deployed_version,
    desired_version,
    desired_verdict,
    group_name,
    asg,
    evidence
FROM reconciled
WHERE instance_id = {WORKER}
ORDER BY group_name
""")

WORKER_SPANS = f"""\
SELECT
    began_at,
    ended_at,
    minutes,
    group_name,
    category,
    cause,
    deployed_version,
    desired_version
FROM fleet_spans
WHERE {DAYS}
    AND application = {APPLICATION}
    AND instance_id = {WORKER}
    AND began_at <= $__timeTo()
    AND ended_at >= $__timeFrom()
ORDER BY began_at DESC, group_name
"""

WORKER_DEPLOYMENTS = f"""\
SELECT
    started_at,
    ended_at,
    version,
    CASE verdict WHEN 'held' THEN 'verified' WHEN 'partly' THEN 'partial' ELSE verdict END AS verdict,
    status,
    event,
    error_code,
    script,
    message,
    log_tail,
    deployment_id
FROM deployment_targets
WHERE {DAYS}
    AND application = {APPLICATION}
    AND instance_id = {WORKER}
ORDER BY started_at DESC, deployment_id
"""

-- Per release: the minutes from its beginning until 50, 95 and 100 % of the workers that it concerned were current,
-- NULL if so many never were. It concerns its deployments' targets but for those that went away with an excuse.
-- A worker is current from the end of its target, or from its first current span, if that is earlier.
-- Parameters: the first day (yyyy-MM-dd) and the application, once for each of three tables. Reads those days.
WITH release AS (
    SELECT
        release_id,
        MAX(version) AS version,
        MIN(started_at) AS began_at
    FROM releases
    WHERE day >= ?
        AND application = ?
    GROUP BY release_id
),

target AS (
    SELECT
        release_id,
        group_name,
        instance_id,
        MAX(version) AS version,
        MIN(ended_at) FILTER (WHERE status = 'Succeeded') AS succeeded_at,
        BOOL_OR(verdict = 'excused') AS is_excused
    FROM deployment_targets
    WHERE day >= ?
        AND application = ?
    GROUP BY release_id, group_name, instance_id
),

concerned AS (
    SELECT
        target.release_id,
        target.group_name,
        target.instance_id,
        target.version,
        target.succeeded_at,
        release.began_at
    FROM target
    INNER JOIN release ON release.release_id = target.release_id
    WHERE NOT target.is_excused
),

seen AS (
    SELECT group_name, instance_id, desired_version, began_at
    FROM fleet_spans
    WHERE day >= ?
        AND application = ?
        AND category = 'current'
),

-- A span that began before the release does not count.
reached AS (
    SELECT
        concerned.release_id,
        concerned.group_name,
        concerned.instance_id,
        concerned.began_at,
        COALESCE(LEAST(MIN(concerned.succeeded_at), MIN(seen.began_at)), MIN(concerned.succeeded_at), MIN(seen.began_at))
            AS current_at
    FROM concerned
    LEFT JOIN seen
        ON seen.group_name = concerned.group_name
        AND seen.instance_id = concerned.instance_id
        AND seen.desired_version = concerned.version
        AND seen.began_at >= concerned.began_at
    GROUP BY concerned.release_id, concerned.group_name, concerned.instance_id, concerned.began_at
),

ranked AS (
    SELECT
        release_id,
        current_at,
        (TO_UNIXTIME(current_at) - TO_UNIXTIME(began_at)) / 60e0 AS minutes,
        ROW_NUMBER() OVER (PARTITION BY release_id ORDER BY current_at NULLS LAST, group_name, instance_id) AS place,
        COUNT(*) OVER (PARTITION BY release_id) AS workers
    FROM reached
)

SELECT
    release.release_id,
    release.version,
    release.began_at,
    MAX(ranked.workers) AS workers,
    COUNT(ranked.current_at) AS reached,
    MIN(ranked.minutes) FILTER (WHERE ranked.place * 100 >= ranked.workers * 50) AS minutes_50,
    MIN(ranked.minutes) FILTER (WHERE ranked.place * 100 >= ranked.workers * 95) AS minutes_95,
    MIN(ranked.minutes) FILTER (WHERE ranked.place = ranked.workers) AS minutes_100
FROM release
INNER JOIN ranked ON ranked.release_id = release.release_id
GROUP BY release.release_id, release.version, release.began_at
ORDER BY release.began_at, release.release_id

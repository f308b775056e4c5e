-- Groups that a release set out for and never reached: no deployment of it there had a target. Groups that were empty
-- do not count. Parameters: the first day (yyyy-MM-dd) and the application, for each of two tables. Reads those days.
WITH latest AS (
    SELECT
        release_id,
        version,
        actor,
        group_name,
        -- Releases recorded before 0.1.0 use two other words.
        CASE verdict WHEN 'held' THEN 'verified' WHEN 'partly' THEN 'partial' ELSE verdict END AS verdict,
        reason,
        deployment_id,
        started_at,
        ROW_NUMBER() OVER (PARTITION BY release_id, group_name ORDER BY finished_at DESC) AS place
    FROM releases
    WHERE day >= ?
        AND application = ?
),

reached AS (
    SELECT DISTINCT release_id, group_name
    FROM deployment_targets
    WHERE day >= ?
        AND application = ?
)

SELECT
    latest.release_id,
    latest.version,
    latest.actor,
    latest.started_at,
    latest.group_name,
    latest.verdict,
    latest.reason,
    latest.deployment_id
FROM latest
LEFT JOIN reached ON reached.release_id = latest.release_id AND reached.group_name = latest.group_name
WHERE latest.place = 1
    AND latest.verdict <> 'empty'
    AND reached.release_id IS NULL
ORDER BY latest.started_at, latest.release_id, latest.group_name

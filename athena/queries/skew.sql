-- Over time: how many versions the workers ran in each hour (or day), and the share of their time that they spent on
-- the desired one. Terminated workers and groups without a desired version do not count.
-- Parameters: the step (hour or day), the first day (yyyy-MM-dd), the application. Reads those days of one table.
WITH step AS (
    SELECT seconds
    FROM (VALUES ('hour', 3600e0), ('day', 86400e0)) AS steps (name, seconds)
    WHERE name = ?
),

span AS (
    SELECT
        group_name,
        instance_id,
        category,
        deployed_version,
        TO_UNIXTIME(began_at) AS began_s,
        TO_UNIXTIME(ended_at) AS ended_s
    FROM fleet_spans
    WHERE day >= ?
        AND application = ?
        AND category NOT IN ('not-managed', 'terminated-mid-deploy')
),

-- Each span once for every step that it lies in, by the step's number since 1970.
piece AS (
    SELECT
        span.group_name,
        span.instance_id,
        span.category,
        span.deployed_version,
        number * step.seconds AS began_s,
        LEAST(span.ended_s, (number + 1) * step.seconds) - GREATEST(span.began_s, number * step.seconds) AS seconds
    FROM span
    CROSS JOIN step
    CROSS JOIN UNNEST(
        SEQUENCE(
            CAST(FLOOR(span.began_s / step.seconds) AS bigint),
            CAST(CEIL(span.ended_s / step.seconds) AS bigint) - 1
        )
    ) AS numbers (number)
)

SELECT
    CAST(FROM_UNIXTIME(began_s) AS timestamp) AS began_at,
    COUNT(DISTINCT CONCAT(group_name, '/', instance_id)) AS workers,
    COUNT(DISTINCT deployed_version) AS versions,
    COALESCE(SUM(seconds) FILTER (WHERE category = 'current'), 0e0) / SUM(seconds) AS current_share
FROM piece
GROUP BY began_s
ORDER BY began_s

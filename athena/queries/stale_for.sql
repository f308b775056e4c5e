-- Workers that were behind for longer than so many minutes without a break, the longest first, and whether they still
-- were when the fleet was last seen. Deploying counts as behind: a deployment that never ends is one as well.
-- Parameters: the first day (yyyy-MM-dd), the application, the minutes. Reads those days of one table.
WITH span AS (
    SELECT
        group_name,
        instance_id,
        category,
        cause,
        deployed_version,
        desired_version,
        began_at,
        ended_at,
        MAX(ended_at) OVER () AS seen_until
    FROM fleet_spans
    WHERE day >= ?
        AND application = ?
),

behind AS (
    SELECT
        *,
        LAG(ended_at) OVER (PARTITION BY group_name, instance_id ORDER BY began_at) AS before_ended_at
    FROM span
    WHERE category NOT IN ('current', 'not-managed', 'terminated-mid-deploy')
),

-- A span that begins where the previous one ended continues it, over midnight too.
stretched AS (
    SELECT
        *,
        SUM(CASE WHEN before_ended_at = began_at THEN 0 ELSE 1 END)
            OVER (PARTITION BY group_name, instance_id ORDER BY began_at) AS stretch
    FROM behind
),

-- The last span of a stretch gives its category and cause.
ranked AS (
    SELECT
        *,
        MIN(began_at) OVER (PARTITION BY group_name, instance_id, stretch) AS behind_since,
        ROW_NUMBER() OVER (PARTITION BY group_name, instance_id, stretch ORDER BY began_at DESC) AS place
    FROM stretched
)

SELECT
    group_name,
    instance_id,
    category,
    cause,
    deployed_version,
    desired_version,
    behind_since,
    ended_at AS behind_until,
    (TO_UNIXTIME(ended_at) - TO_UNIXTIME(behind_since)) / 60e0 AS minutes,
    ended_at = seen_until AS still_behind
FROM ranked
WHERE place = 1
    AND (TO_UNIXTIME(ended_at) - TO_UNIXTIME(behind_since)) / 60e0 > ?
ORDER BY minutes DESC, group_name, instance_id, behind_since

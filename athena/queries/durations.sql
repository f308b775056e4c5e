-- How long a group took, by its strategy, in the releases verified there: P50 and P95 in seconds, by nearest rank.
-- From the first worker's first lifecycle event to the last worker's last: waiting for another deployment does not count.
-- Parameters: the first day (yyyy-MM-dd), the application, and both once more. Reads those days of two tables.
WITH verified AS (
    SELECT DISTINCT release_id, group_name, strategy
    FROM releases
    WHERE day >= ?
        AND application = ?
        AND verdict IN ('verified', 'held') -- 'held' before 0.1.0
),

span AS (
    SELECT
        release_id,
        group_name,
        MIN(started_at) AS began_at,
        MAX(ended_at) AS ended_at
    FROM deployment_targets
    WHERE day >= ?
        AND application = ?
    GROUP BY release_id, group_name
),

duration AS (
    SELECT
        verified.group_name,
        verified.strategy,
        TO_UNIXTIME(span.ended_at) - TO_UNIXTIME(span.began_at) AS seconds
    FROM verified
    INNER JOIN span ON span.release_id = verified.release_id AND span.group_name = verified.group_name
    WHERE span.ended_at >= span.began_at
),

ranked AS (
    SELECT
        group_name,
        strategy,
        seconds,
        ROW_NUMBER() OVER (PARTITION BY group_name, strategy ORDER BY seconds) AS place,
        COUNT(*) OVER (PARTITION BY group_name, strategy) AS releases
    FROM duration
)

-- The approximate percentiles of the two engines differ by more than a little where there are few releases.
SELECT
    group_name,
    strategy,
    MIN(seconds) FILTER (WHERE place * 100 >= releases * 50) AS p50_s,
    MIN(seconds) FILTER (WHERE place * 100 >= releases * 95) AS p95_s,
    MAX(releases) AS releases
FROM ranked
GROUP BY group_name, strategy
ORDER BY group_name, strategy

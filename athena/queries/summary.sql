-- Per group and category: how many workers were so when the fleet was last seen, and the hours that workers were so
-- in all of these days. Parameters: the first day (yyyy-MM-dd), the application. Reads those days of one table.
WITH span AS (
    SELECT group_name, category, began_at, ended_at
    FROM fleet_spans
    WHERE day >= ?
        AND application = ?
),

latest AS (
    SELECT MAX(ended_at) AS seen_until
    FROM span
)

SELECT
    span.group_name,
    span.category,
    COUNT(*) FILTER (WHERE span.ended_at = latest.seen_until) AS workers,
    SUM(TO_UNIXTIME(span.ended_at) - TO_UNIXTIME(span.began_at)) / 3600e0 AS worker_hours,
    MAX(latest.seen_until) AS seen_until
FROM span
CROSS JOIN latest
GROUP BY span.group_name, span.category
ORDER BY span.group_name, span.category

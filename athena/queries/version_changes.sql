-- When the number of workers that run a version changed, and by how many: summed up in order of time, this is how many
-- workers ran which version when. A NULL version: the worker had no tag. Terminated workers do not count.
-- Parameters: the first day (yyyy-MM-dd) and the application, both twice. Reads those days of one table.
WITH change AS (
    SELECT began_at AS changed_at, deployed_version AS version, 1 AS workers
    FROM fleet_spans
    WHERE day >= ?
        AND application = ?
        AND category <> 'terminated-mid-deploy'
    UNION ALL
    SELECT ended_at AS changed_at, deployed_version AS version, -1 AS workers
    FROM fleet_spans
    WHERE day >= ?
        AND application = ?
        AND category <> 'terminated-mid-deploy'
)

SELECT
    changed_at,
    version,
    SUM(workers) AS workers
FROM change
GROUP BY changed_at, version
HAVING SUM(workers) <> 0
ORDER BY changed_at, version

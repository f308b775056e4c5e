-- When each release's deployment to a group began and ended, by its targets: one row a group of those that succeeded,
-- and one a worker (instance_id) of those that did not. Parameters: the first day (yyyy-MM-dd), the application. Reads
-- those days of one table.
SELECT
    release_id,
    group_name,
    CASE WHEN status = 'Succeeded' THEN NULL ELSE instance_id END AS instance_id,
    MIN(started_at) AS began_at,
    MAX(ended_at) AS ended_at
FROM deployment_targets
WHERE day >= ?
    AND application = ?
GROUP BY release_id, group_name, CASE WHEN status = 'Succeeded' THEN NULL ELSE instance_id END
ORDER BY release_id, group_name, instance_id

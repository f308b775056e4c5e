-- What is wrong with each group as a whole in one snapshot, one row a finding; no rows if nothing is.
-- Parameters: the snapshot's hour (yyyy-MM-dd-HH), its id, the application. Reads one partition of one table.
SELECT
    snapshot_id,
    snapshot_at,
    application,
    group_name,
    cause,
    evidence,
    remedy
FROM group_findings
WHERE snap_hour = ?
    AND snapshot_id = ?
    AND application = ?
ORDER BY group_name, cause, evidence

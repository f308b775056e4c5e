-- group_findings: one row a finding of a group (a launch loop, a missing launch hook, …) and snapshot; no row where a
-- group has none. {database} and {location} (the lake's root, ending in a slash) are filled in by
-- `deployctl athena setup`.
CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`group_findings` (
    `snapshot_id` string,
    `snapshot_at` timestamp,
    `application` string,
    `group_name` string,
    `cause` string,
    `evidence` string,
    `remedy` string
)
PARTITIONED BY (`snap_hour` string)
STORED AS PARQUET
LOCATION '{location}group_findings/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.snap_hour.type' = 'date',
    'projection.snap_hour.format' = 'yyyy-MM-dd-HH',
    'projection.snap_hour.interval' = '1',
    'projection.snap_hour.interval.unit' = 'HOURS',
    'projection.snap_hour.range' = '2025-01-01-00,NOW+1HOURS',
    'storage.location.template' = '{location}group_findings/snap_hour=${snap_hour}/'
)

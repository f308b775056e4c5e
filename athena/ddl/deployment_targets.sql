-- deployment_targets: one row a target of a deployment. {database} and {location} (the lake's root, ending in a slash) are filled in
-- by `deployctl athena setup`. The range ends one step after NOW for writers whose clock is ahead of Athena's.
CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`deployment_targets` (
    `release_id` string,
    `application` string,
    `group_name` string,
    `deployment_id` string,
    `instance_id` string,
    `version` string,
    `status` string,
    `verdict` string,
    `event` string,
    `error_code` string,
    `script` string,
    `message` string,
    `log_tail` string,
    `started_at` timestamp,
    `ended_at` timestamp
)
PARTITIONED BY (`day` string)
STORED AS PARQUET
LOCATION '{location}deployment_targets/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.day.type' = 'date',
    'projection.day.format' = 'yyyy-MM-dd',
    'projection.day.interval' = '1',
    'projection.day.interval.unit' = 'DAYS',
    'projection.day.range' = '2025-01-01,NOW+1DAYS',
    'storage.location.template' = '{location}deployment_targets/day=${day}/'
)

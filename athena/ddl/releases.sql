-- releases: one row a release and group. {database} and {location} (the lake's root, ending in a slash) are filled in
-- by `deployctl athena setup`. The range ends one step after NOW for writers whose clock is ahead of Athena's.
CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`releases` (
    `release_id` string,
    `application` string,
    `version` string,
    `sequence` bigint,
    `actor` string,
    `group_name` string,
    `deployment_id` string,
    `strategy` string,
    `verdict` string,
    `reason` string,
    `started_at` timestamp,
    `finished_at` timestamp,
    `previous_version` string,
    `workers` bigint,
    `workers_verified` bigint,
    `workers_excused` bigint,
    `workers_failed` bigint,
    `workers_held` bigint
)
PARTITIONED BY (`day` string)
STORED AS PARQUET
LOCATION '{location}releases/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.day.type' = 'date',
    'projection.day.format' = 'yyyy-MM-dd',
    'projection.day.interval' = '1',
    'projection.day.interval.unit' = 'DAYS',
    'projection.day.range' = '2025-01-01,NOW+1DAYS',
    'storage.location.template' = '{location}releases/day=${day}/'
)

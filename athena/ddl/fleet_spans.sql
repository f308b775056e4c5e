-- fleet_spans: one row a worker and unbroken span of what it was, within a day. {database} and {location} (the lake's
-- root, ending in a slash) are filled in by `deployctl athena setup`. The range ends one step after NOW for writers
-- whose clock is ahead of Athena's.
CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`fleet_spans` (
    `application` string,
    `group_name` string,
    `asg` string,
    `instance_id` string,
    `desired_version` string,
    `deployed_version` string,
    `category` string,
    `cause` string,
    `began_at` timestamp,
    `ended_at` timestamp,
    `minutes` bigint
)
PARTITIONED BY (`day` string)
STORED AS PARQUET
LOCATION '{location}fleet_spans/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.day.type' = 'date',
    'projection.day.format' = 'yyyy-MM-dd',
    'projection.day.interval' = '1',
    'projection.day.interval.unit' = 'DAYS',
    'projection.day.range' = '2025-01-01,NOW+1DAYS',
    'storage.location.template' = '{location}fleet_spans/day=${day}/'
)

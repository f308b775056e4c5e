-- {database} is filled in by `deployctl athena setup`.
CREATE DATABASE IF NOT EXISTS `{database}`

"""What the simulated Athena does not model, or models by a harsher guess."""

from __future__ import annotations

DOUBTS: tuple[str, ...] = (
    "Athena runs SELECT only, with the functions that DuckDB answers alike; everything else fails by name.",
    "Athena's DDL is CREATE and DROP of databases and external Parquet tables, SHOW DATABASES | TABLES, and ALTER.",
    "Athena's ALTER TABLE is ADD COLUMNS and SET TBLPROPERTIES; its refusal of a column that is there is a guess.",
    "Athena's tables have at most one partition column, a string projected as a date in HOURS, DAYS or WEEKS.",
    "Athena's bytes scanned: an object below 3 MiB counts whole, as in Trino's default; AWS does not say.",
    "Athena's catalog is its own: Glue does not see its tables.",
    "Athena forgets all but the last 500 queries; it has no quota of queries that run at once.",
    "Athena's error types are not modelled: every failed query is the user's error.",
    "Athena checks no permissions on the objects that a query reads.",
    "Stopping a query that is over changes nothing and is no error.",
)

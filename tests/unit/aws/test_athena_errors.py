"""What an error of an Athena query names."""

from __future__ import annotations

from deployctl.aws.athena import AthenaQueryFailed


def test_an_object_that_athena_cannot_read_is_named_with_the_command_that_removes_it():
    uri = "s3://b/lake/v1/fleet_snapshots/snap_hour=2026-01-02-03/s-1.parquet"
    reason = f"HIVE_BAD_DATA: Not valid Parquet file: {uri} expected magic number: PAR1 got: abcd"
    (remove, *_) = AthenaQueryFailed("q-1", reason).details
    assert remove == f"aws s3 rm {uri}   # if Athena cannot read that object"


def test_a_failure_that_names_no_object_has_no_command_for_one():
    (check,) = AthenaQueryFailed("q-1", "SYNTAX_ERROR: line 1").details
    assert "aws s3 rm" not in check

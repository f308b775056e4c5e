"""A reconciliation as CSV; a spreadsheet takes no cell for a formula."""

import csv
from collections.abc import Iterable
from typing import TextIO

from deployctl.model.reconciliation import ReconciledWorker
from deployctl.report.formatting import sanitize
from deployctl.report.json_output import json_fields

COLUMNS = (
    "instance_id",
    "group",
    "asg",
    "category",
    "cause",
    "minutes_behind",
    "deployed_version",
    "desired_version",
    "desired_verdict",
    "evidence",
    "remedy",
    "snapshot_at",
)
# A spreadsheet reads a cell with one of these first characters as a formula. Source: OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(stream: TextIO, workers: Iterable[ReconciledWorker]) -> None:
    """Write a header, then one line per worker; no cell contains a line break.

    Names, versions and log lines are untrusted: an apostrophe in front disarms a formula.
    """
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(COLUMNS)
    for worker in workers:
        rows.writerow([cell(value) for value in json_fields(worker, *COLUMNS).values()])


def cell(value: str | int | None) -> str | int | None:
    if not isinstance(value, str):
        return value
    shown = sanitize(value)
    return f"'{shown}" if value.lstrip(" ").startswith(_FORMULA) or shown.startswith(_FORMULA) else shown

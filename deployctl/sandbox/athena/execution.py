"""One query, from its start to its result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployctl.sandbox.athena.statements import Statement
from deployctl.sandbox.athena.workgroups import ENGINE_VERSION

#: AthenaError's category for errors that the user can fix.
USER_ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Values as GetQueryResults gives them: text, or None for NULL."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: list[tuple[str | None, ...]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Execution:
    """`number` counts starts. `database` is the session's. `interrupt` stops the engine's run."""

    number: int
    query_id: str
    sql: str
    parameters: tuple[str, ...]
    workgroup: str
    database: str
    catalog: str
    statement: Statement
    submitted_at: datetime
    output: str | None
    cutoff_bytes: int | None
    state: str = "QUEUED"
    reason: str | None = None
    began_at: datetime | None = None
    completed_at: datetime | None = None
    scanned_bytes: int = 0
    result: Result | None = None
    manifest: str | None = None
    interrupt: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("SUCCEEDED", "FAILED", "CANCELLED")

    def end(self, state: str, now: datetime, reason: str | None = None) -> None:
        self.state, self.completed_at, self.reason = state, now, reason

    @property
    def shape(self) -> dict[str, Any]:
        """GetQueryExecution's QueryExecution. moto leaves out members that are None."""
        return {
            "QueryExecutionId": self.query_id,
            "Query": self.sql,
            "StatementType": "DDL" if self.statement.is_ddl else "DML",
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": {"Database": self.database, "Catalog": self.catalog},
            "Status": self._status,
            "Statistics": self._statistics,
            "WorkGroup": self.workgroup,
            "EngineVersion": ENGINE_VERSION,
            "SubstatementType": self.statement.kind,
            "ManagedQueryResultsConfiguration": {"Enabled": True} if self.output is None else None,
            "ResultConfiguration": None if self.output is None else {"OutputLocation": self.output},
            "ExecutionParameters": list(self.parameters) or None,
        }

    @property
    def _status(self) -> dict[str, Any]:
        error = {"ErrorCategory": USER_ERROR, "Retryable": False, "ErrorMessage": self.reason or ""}
        return {
            "State": self.state,
            "SubmissionDateTime": self.submitted_at,
            "CompletionDateTime": self.completed_at,
            "StateChangeReason": self.reason,
            "AthenaError": error if self.state == "FAILED" else None,
        }

    @property
    def _statistics(self) -> dict[str, Any]:
        end = self.completed_at or self.began_at or self.submitted_at
        began = self.began_at or end
        return {
            "EngineExecutionTimeInMillis": _milliseconds(began, end),
            "DataScannedInBytes": self.scanned_bytes,
            "DataManifestLocation": self.manifest,
            "TotalExecutionTimeInMillis": _milliseconds(self.submitted_at, end),
            "QueryQueueTimeInMillis": _milliseconds(self.submitted_at, began),
            "ServiceProcessingTimeInMillis": 0,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))

"""The QueryEngine port on Athena, through PyAthena."""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError
from pyathena import connect
from pyathena.connection import Connection
from pyathena.cursor import DictCursor
from pyathena.error import Error as PyAthenaError
from pyathena.model import AthenaQueryExecution
from pyathena.util import RetryConfig

from deployctl.aws.error_translation import code_of, message_of, translating
from deployctl.aws.session import Aws
from deployctl.errors import DeployctlError, Failed, Unreachable
from deployctl.lake.sql import literal
from deployctl.model.command import shell_command, with_note
from deployctl.ports import QueryResult

ENGINE = "athena"
TIME_LIMIT_S = 120.0
POLL_S = 0.25
#: The command that runs on the other engine.
INSTEAD = "deployctl reconcile --engine duckdb"
_OBJECT = re.compile(r"s3://\S+?\.parquet")


class AthenaRefused(Failed, code="athena-refused"):
    """Athena did not start the query."""

    def __init__(self, workgroup: str, message: str, *, instead: str = INSTEAD) -> None:
        super().__init__(
            f"Athena refused the query in workgroup {workgroup}: {message}",
            noun=workgroup,
            remedy=f"deployctl athena setup   # or, without Athena: {instead}",
        )


class AthenaQueryFailed(Failed, code="athena-query-failed"):
    """The Athena query started and failed. Remedy: deployctl athena check.

    Athena cannot skip an object that it cannot read; its message is the only place that names the object.
    """

    def __init__(self, query_id: str, reason: str, *, instead: str = INSTEAD) -> None:
        super().__init__(
            f"Athena query {query_id} failed: {reason}",
            noun=query_id,
            remedy=instead,
            details=(
                *(
                    with_note(shell_command("aws", "s3", "rm", uri), "if Athena cannot read that object")
                    for uri in dict.fromkeys(_OBJECT.findall(reason))
                ),
                "deployctl athena check says whether the database and the tables are as they must be",
            ),
        )


class AthenaQueryCancelled(Failed, code="athena-query-cancelled"):
    """The Athena query was cancelled, by another user or by the workgroup's limit of bytes scanned.

    Remedy: deployctl reconcile --engine duckdb.
    """

    def __init__(self, query_id: str, reason: str, *, instead: str = INSTEAD) -> None:
        super().__init__(f"Athena query {query_id} was cancelled: {reason}", noun=query_id, remedy=instead)


class AthenaTimeout(Unreachable, code="athena-timeout"):
    """The Athena query took longer than deployctl waits, and deployctl asked Athena to stop it.

    Remedy: deployctl reconcile --engine duckdb.
    """

    def __init__(self, query_id: str, limit_s: float, *, stopped: bool, instead: str = INSTEAD) -> None:
        became = "was stopped" if stopped else "could not be stopped"
        super().__init__(
            f"Athena query {query_id} did not end within {limit_s:g} s and {became}",
            noun=query_id,
            remedy=instead,
            details=() if stopped else (_still_runs(query_id),),
        )


def _still_runs(query_id: str) -> str:
    return f"it may still run: aws athena stop-query-execution --query-execution-id {query_id}"


class _DeadlineReached(Exception):
    pass


class _QueryPoll:
    """Follows one query: its id as soon as there is one, its state at each poll, and the time."""

    def __init__(self, limit_s: float) -> None:
        self._ends_at_s = time.monotonic() + limit_s
        self.query_id: str | None = None
        self.state: str | None = None
        self.reason: str | None = None

    def started(self, query_id: str) -> None:
        self.query_id = query_id

    def polled(self, execution: Any) -> None:
        """Raises: _DeadlineReached."""
        self.state, self.reason = execution.state, execution.state_change_reason
        is_finished = execution.state in AthenaQueryExecution.TERMINAL_STATES
        if not is_finished and time.monotonic() > self._ends_at_s:
            raise _DeadlineReached


class AthenaEngine:
    """Runs one query at a time in one workgroup, which sets the location of results and the scan limit.

    On Ctrl-C it stops the query first.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        workgroup: str,
        database: str,
        time_limit_s: float = TIME_LIMIT_S,
        instead: str = INSTEAD,
    ) -> None:
        """`instead` is the command that runs the same query on the other engine, offered when Athena fails."""
        # PyAthena logs a traceback for each rejected request; the errors raised here are clearer.
        logging.getLogger("pyathena").setLevel(logging.CRITICAL)
        self._aws = aws
        self._workgroup = workgroup
        self._database = database
        self._time_limit_s = time_limit_s
        self._instead = instead

    def run(self, sql: str, parameters: Sequence[str | int] = ()) -> QueryResult:
        """Raises: AthenaRefused, AthenaQueryFailed, AthenaQueryCancelled, AthenaTimeout; see error_translation."""
        poll = _QueryPoll(self._time_limit_s)
        with self._connected(poll) as connection, self._translating(poll, connection):
            cursor = connection.cursor()
            cursor.execute(sql, [literal(p) for p in parameters] or None, paramstyle="qmark")
            return QueryResult(
                rows=cast("list[dict[str, Any]]", cursor.fetchall()),
                bytes_scanned=cursor.data_scanned_in_bytes or 0,
                engine=ENGINE,
                query_id=poll.query_id,
            )

    @contextmanager
    def _connected(self, poll: _QueryPoll) -> Iterator[Connection[DictCursor]]:
        with translating("athena:Configure", noun=self._workgroup):
            connection = connect(
                session=self._aws.boto,
                region_name=self._aws.region,
                # The workgroup sets the location of results; None would let an environment variable decide.
                s3_staging_dir="",
                work_group=self._workgroup,
                schema_name=self._database,
                poll_interval=POLL_S,
                # The session's governor decides whether to retry.
                retry_config=RetryConfig(attempt=1),
                config=self._aws.config(),
                cursor_class=DictCursor,
                on_start_query_execution=poll.started,
                on_poll=poll.polled,
                glue_metadata_fallback=False,
            )
        with connection:
            yield connection

    @contextmanager
    def _translating(self, poll: _QueryPoll, connection: Connection[DictCursor]) -> Iterator[None]:
        try:
            yield
        except _DeadlineReached:
            query_id = poll.query_id or ""
            stopped = _stop(connection, query_id)
            raise AthenaTimeout(
                query_id, self._time_limit_s, stopped=stopped, instead=self._instead
            ) from None
        except PyAthenaError as error:
            self._raise_query_error(poll, error)

    def _raise_query_error(self, poll: _QueryPoll, error: PyAthenaError) -> None:
        cause = error.__cause__
        if isinstance(cause, ClientError | BotoCoreError):
            if (
                isinstance(cause, ClientError)
                and code_of(cause) == "InvalidRequestException"
                and not poll.query_id
            ):
                raise AthenaRefused(
                    self._workgroup, message_of(cause) or str(cause), instead=self._instead
                ) from error
            self._raise_translated(poll, cause)
        query_id, reason = poll.query_id or "", poll.reason or str(error)
        if poll.state == AthenaQueryExecution.STATE_CANCELLED:
            raise AthenaQueryCancelled(query_id, reason, instead=self._instead) from error
        raise AthenaQueryFailed(query_id, reason, instead=self._instead) from error

    def _raise_translated(self, poll: _QueryPoll, cause: ClientError | BotoCoreError) -> None:
        """The translated error, with the query that may still run and the command without Athena."""
        operation = "GetQueryExecution" if poll.query_id else "StartQueryExecution"
        try:
            with translating(f"athena:{operation}", noun=poll.query_id or self._workgroup):
                raise cause
        except DeployctlError as error:
            left = (f"of query {poll.query_id}: {_still_runs(poll.query_id)}",) if poll.query_id else ()
            error.details = (*error.details, *left, f"without Athena: {self._instead}")
            raise


def _stop(connection: Connection[DictCursor], query_id: str) -> bool:
    """Whether Athena accepted the stop request."""
    try:
        cast("Any", connection.client).stop_query_execution(QueryExecutionId=query_id)
    except (ClientError, BotoCoreError):
        return False
    return True

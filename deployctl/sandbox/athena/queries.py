"""Athena's queries: really run, over the tables of its catalog and the objects of the sandbox's S3."""

import threading
import uuid

import duckdb

from deployctl.lake import ddl
from deployctl.lake.duckdb_query import connect
from deployctl.sandbox.athena import results
from deployctl.sandbox.athena.catalog import CATALOG
from deployctl.sandbox.athena.ddl import run_ddl
from deployctl.sandbox.athena.execution import Execution, Result
from deployctl.sandbox.athena.metadata import PRIMARY, Metadata, Request, Response
from deployctl.sandbox.athena.query_failed import QueryFailed
from deployctl.sandbox.athena.runner import Answer, run_query, sources
from deployctl.sandbox.athena.statements import Statement, parse_statement
from deployctl.sandbox.athena.workgroups import WorkGroup, invalid
from deployctl.sandbox.athena.written_rows import write
from deployctl.sandbox.s3 import S3Objects, split_uri
from deployctl.sandbox.simulation import Simulation

#: Simulated seconds that a query waits, and that even the smallest takes.
QUEUED_S = 0.2
RUNNING_S = 0.4
#: What a query scans in a simulated second beyond that.
BYTES_PER_S = 100_000_000
INTERRUPT_S = 1.0
MOST_PARAMETER_CHARACTERS = 1_024
MOST_SQL_BYTES = 262_144
MOST_IDS = 50
#: Older ones are forgotten, so that a long-lived sandbox stays small.
KEPT_EXECUTIONS = 500


class Athena(Metadata):
    """Athena's API, one method per operation."""

    def __init__(self, world: Simulation) -> None:
        super().__init__(world)
        self._objects = S3Objects()
        self._tokens: dict[str, str] = {}
        self._started = 0

    def set_up(self, *, bucket: str, database: str, workgroup: str, history_workgroup: str) -> None:
        """Make what `deployctl athena setup` makes, at once. Once a sandbox."""
        with self._world.lock:
            for name, configuration in ddl.workgroups(workgroup, history_workgroup).items():
                self.create_work_group({"Name": name, "Configuration": configuration})
            tables = ddl.create_tables(database, ddl.lake_location(bucket)).values()
            for statement in (ddl.create_database(database), *tables):
                run_ddl(statement, self.catalog, database="default", now=self._world.now())

    def start_query_execution(self, request: Request) -> Response:
        token = request.get("ClientRequestToken")
        known = self._executions.get(self._tokens.get(token or "", ""))
        if known is not None:
            if known.sql != request["QueryString"]:
                raise invalid("Idempotent parameters do not match")
            return {"QueryExecutionId": known.query_id}
        execution = self._admit(request)
        self._executions[execution.query_id] = execution
        if token is not None:
            self._tokens[token] = execution.query_id
        self._forget_old()
        self._world.events.record("query-started", query_id=execution.query_id)
        self._world.after(QUEUED_S, lambda: self._begin(execution))
        return {"QueryExecutionId": execution.query_id}

    def _admit(self, request: Request) -> Execution:
        group = self._workgroup(request.get("WorkGroup") or PRIMARY)
        parameters = tuple(request.get("ExecutionParameters") or ())
        self._check(request["QueryString"], parameters, group)
        context = request.get("QueryExecutionContext") or {}
        output = group.output_for(request.get("ResultConfiguration") or {})
        query_id = str(uuid.uuid4())
        try:
            statement = parse_statement(request["QueryString"])
        except QueryFailed as error:
            raise invalid(str(error)) from error
        self._started += 1
        return Execution(
            number=self._started,
            query_id=query_id,
            sql=request["QueryString"],
            parameters=parameters,
            workgroup=group.name,
            database=(context.get("Database") or "default").strip('`"').lower(),
            catalog=(context.get("Catalog") or CATALOG).lower(),
            statement=statement,
            submitted_at=self._world.now(),
            output=None if output is None else self._result_address(output, query_id, statement),
            cutoff_bytes=group.cutoff_bytes,
        )

    def _check(self, sql: str, parameters: tuple[str, ...], group: WorkGroup) -> None:
        if not group.enabled:
            raise invalid(f"WorkGroup {group.name} is disabled")
        if not sql.strip() or len(sql.encode()) > MOST_SQL_BYTES:
            raise invalid(f"QueryString must have 1 to {MOST_SQL_BYTES} bytes")
        if any(not 1 <= len(p) <= MOST_PARAMETER_CHARACTERS for p in parameters):
            raise invalid(f"ExecutionParameters must have 1 to {MOST_PARAMETER_CHARACTERS} characters each")

    def _result_address(self, output: str, query_id: str, statement: Statement) -> str:
        try:
            bucket, _ = split_uri(output)
            self._objects.check(bucket)
        except (ValueError, KeyError) as error:
            raise invalid(f"Unable to verify/create output bucket {output}") from error
        return f"{output.rstrip('/')}/{query_id}.{'csv' if statement.query else 'txt'}"

    def _begin(self, execution: Execution) -> None:
        if execution.is_over:
            return
        execution.state, execution.began_at = "RUNNING", self._world.now()
        if execution.statement.query is None:
            self._world.after(RUNNING_S, lambda: self._carry_out(execution))
        else:
            threading.Thread(target=self._run, args=(execution,), daemon=True).start()

    def _carry_out(self, execution: Execution) -> None:
        """DDL is quick: it runs under the lock."""
        if execution.is_over:
            return
        now = self._world.now()
        try:
            shown = run_ddl(execution.sql, self.catalog, database=execution.database, now=now)
        except QueryFailed as error:
            execution.end("FAILED", now, str(error))
            return
        columns = tuple((name, "string") for name in shown.columns)
        self._succeed(execution, Result(columns=columns, rows=[(line,) for line in shown.lines]))

    def _run(self, execution: Execution) -> None:
        """Runs in its own thread; takes the lock only to access shared state."""
        find = sources(
            self.catalog, self._objects, self._world, database=execution.database, now=self._world.now()
        )
        with connect() as connection:
            with self._world.lock:
                if execution.is_over:
                    return
                execution.interrupt = connection.interrupt
            try:
                answer = run_query(execution.statement.query or "", execution.parameters, find, connection)
                result = Result() if execution.statement.writes else results.as_result(answer)
            except duckdb.InterruptException:
                return
            except Exception as error:  # noqa: BLE001 - whatever happens, a query must end
                # A failure of the sandbox itself ends the query too: otherwise its client would wait forever.
                reason = (
                    str(error) if isinstance(error, QueryFailed) else f"GENERIC_INTERNAL_ERROR: {error!r}"
                )
                self._end_later(execution, "FAILED", reason)
                return
            finally:
                with self._world.lock:
                    execution.interrupt = None
        with self._world.lock:
            self._judge(execution, result, answer)

    def _judge(self, execution: Execution, result: Result, answer: Answer) -> None:
        execution.scanned_bytes = answer.bytes_scanned
        if execution.cutoff_bytes is not None and answer.bytes_scanned > execution.cutoff_bytes:
            self._end_later(execution, "CANCELLED", "Bytes scanned limit was exceeded")
            return
        self._world.after(
            engine_time_s(answer.bytes_scanned), lambda: self._conclude(execution, result, answer)
        )

    def _conclude(self, execution: Execution, result: Result, answer: Answer) -> None:
        if execution.is_over:
            return
        now = self._world.now()
        try:
            if execution.statement.writes:
                write(execution, answer, self.catalog, self._objects, now=now)
        except QueryFailed as error:
            execution.end("FAILED", now, str(error))
        except KeyError as error:
            execution.end("FAILED", now, f"Unable to write to the bucket {error}")
        else:
            self._succeed(execution, result)

    def _succeed(self, execution: Execution, result: Result) -> None:
        if execution.is_over:
            return
        if execution.output is not None:
            bucket, key = split_uri(execution.output)
            try:
                if not execution.statement.writes:
                    to_bytes = results.csv if execution.statement.query else results.text
                    self._objects.write(bucket, key, to_bytes(result))
            except KeyError:
                execution.end("FAILED", self._world.now(), f"Unable to write to {execution.output}")
                return
        execution.result = result
        execution.end("SUCCEEDED", self._world.now())
        self._world.events.record("query-ended", query_id=execution.query_id, state=execution.state)

    def _end_later(self, execution: Execution, state: str, reason: str) -> None:
        def end() -> None:
            if not execution.is_over:
                execution.end(state, self._world.now(), reason)
                self._world.events.record("query-ended", query_id=execution.query_id, state=state)

        self._world.after(RUNNING_S, end)

    def stop_query_execution(self, request: Request) -> None:
        execution = self._get(request["QueryExecutionId"])
        if not execution.is_over:
            execution.end("CANCELLED", self._world.now(), "Query cancelled by user")
            self._interrupt(execution)

    def _interrupt(self, execution: Execution) -> None:
        """Again and again: DuckDB forgets an interruption that comes before its run."""
        if execution.interrupt is not None:
            execution.interrupt()
            self._world.after(INTERRUPT_S, lambda: self._interrupt(execution))

    def get_query_execution(self, request: Request) -> Response:
        return {"QueryExecution": self._get(request["QueryExecutionId"]).shape}

    def batch_get_query_execution(self, request: Request) -> Response:
        ids = request["QueryExecutionIds"]
        if not 1 <= len(ids) <= MOST_IDS:
            raise invalid(f"QueryExecutionIds must be 1 to {MOST_IDS}")
        return {
            "QueryExecutions": [self._executions[i].shape for i in ids if i in self._executions],
            "UnprocessedQueryExecutionIds": [
                {"QueryExecutionId": i, "ErrorCode": "INVALID_INPUT", "ErrorMessage": f"{i} was not found"}
                for i in ids
                if i not in self._executions
            ],
        }

    def list_query_executions(self, request: Request) -> Response:
        group = self._workgroup(request.get("WorkGroup") or PRIMARY)
        latest_first = sorted(self._executions.values(), key=_newest_first)
        listed = [execution for execution in latest_first if execution.workgroup == group.name]
        chosen, token = self._page(listed, request, key=_newest_first)
        return {"QueryExecutionIds": [execution.query_id for execution in chosen], "NextToken": token}

    def get_query_results(self, request: Request) -> Response:
        execution = self._get(request["QueryExecutionId"])
        if not execution.is_over:
            raise invalid(f"Query has not yet finished. Current state: {execution.state}")
        if execution.result is None:
            raise invalid(f"Query did not finish successfully. Final query state: {execution.state}")
        size, token = request.get("MaxResults") or results.ROWS_PER_PAGE, request.get("NextToken") or "0"
        if not 1 <= size <= results.ROWS_PER_PAGE:
            raise invalid(f"MaxResults must be 1 to {results.ROWS_PER_PAGE}")
        if not token.isdecimal():
            raise invalid("NextToken is invalid")
        has_names = execution.statement.kind == "SELECT"
        return results.page(execution.result, has_names=has_names, first=int(token), size=size)

    def _get(self, query_id: str) -> Execution:
        if query_id not in self._executions:
            raise invalid(f"QueryExecution {query_id} was not found")
        return self._executions[query_id]

    def _forget_old(self) -> None:
        for query_id in list(self._executions)[:-KEPT_EXECUTIONS]:
            if self._executions[query_id].is_over:
                del self._executions[query_id]


def engine_time_s(bytes_scanned: int) -> float:
    """Simulated seconds."""
    return RUNNING_S + bytes_scanned / BYTES_PER_S


def _newest_first(execution: Execution) -> str:
    return f"{10**9 - execution.number:010d}"

"""The live table of `reconcile --watch`: refreshes in the background while keys are read."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NoReturn

import typer

from deployctl.errors import Unreachable
from deployctl.model.reconciliation import Reconciliation
from deployctl.ports import Clock
from deployctl.report.keyboard import keys_of
from deployctl.report.reconcile_live import LiveReconcileTable
from deployctl.report.style import can_animate
from deployctl.report.worker_filter import WorkerFilter

Check = Callable[[], Reconciliation]
# A check of 10,000 workers takes long; the table stays usable meanwhile.
LONGEST_CHECK_S = 3_600.0


def _start(check: Check) -> Future[Reconciliation]:
    """One check in a daemon thread: keys work meanwhile, and leaving the table does not wait for AWS."""
    future = Future[Reconciliation]()

    def run() -> None:
        try:
            future.set_result(check())
        except BaseException as error:  # noqa: BLE001 - `result` raises it again
            future.set_exception(error)

    threading.Thread(target=run, name="check", daemon=True).start()
    return future


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResult:
    """The last reconciliation. `is_checking`: a check still runs, whose threads a normal exit would wait for."""

    found: Reconciliation
    is_checking: bool

    def exit(self, code: int) -> NoReturn:
        """Exit at once, even where AWS takes minutes to answer the check that still runs."""
        if self.is_checking:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        raise typer.Exit(code)


def watch(
    check: Check, *, clock: Clock, environment: Mapping[str, str], every_s: float, selection: WorkerFilter
) -> WatchResult:
    """Refresh the table every `every_s` seconds until q or Ctrl-C. An unreachable service changes no row.

    Raises: what a check raises, except Unreachable after the first one.
    """
    found, checking = check(), None
    keys = keys_of(sys.stdin, clock, animates=can_animate(sys.stdout, environment))
    table = LiveReconcileTable(
        sys.stdout, clock=clock, environment=environment, keys=keys, selection=selection
    )
    try:
        with table:
            table.update(found)
            table.wait(every_s)
            while not table.has_quit:
                checking = _start(check)
                while not (table.has_quit or checking.done()):
                    table.wait(LONGEST_CHECK_S, until=checking.done)
                if checking.done():
                    found = _refresh(table, checking, found)
                    table.wait(every_s)
    except KeyboardInterrupt:
        pass
    return WatchResult(found=found, is_checking=checking is not None and not checking.done())


def _refresh(
    table: LiveReconcileTable, checking: Future[Reconciliation], before: Reconciliation
) -> Reconciliation:
    """Raises: what the check raised, except Unreachable."""
    try:
        found = checking.result()
    except Unreachable as error:
        table.poll_failed(error)
        return before
    table.poll_failed(None)
    table.update(found)
    return found

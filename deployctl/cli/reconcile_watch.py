"""Keeps a live table of reconciliations: looks again and again, while keys are heeded."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import typer

from deployctl.errors import Unreachable

if TYPE_CHECKING:
    from deployctl.model.cause import Reconciliation
    from deployctl.ports import Clock
    from deployctl.report.reconcile_live import LiveReconcileTable
    from deployctl.report.worker_filter import WorkerFilter

Look = Callable[[], "Reconciliation"]
# A look at 10,000 workers takes its time; the table is there meanwhile.
LONGEST_LOOK_S = 3_600.0


class _BackgroundPoll:
    """One look, in a thread of its own, so that keys are heeded meanwhile. It is left behind by who leaves."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._found: Reconciliation | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="look", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._look()
        except BaseException as error:  # noqa: BLE001 - raised again where it is asked for
            self._error = error

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def found(self) -> Reconciliation:
        """What was seen, once it is over. Raises: what the look raised."""
        if self._found is None:
            raise self._error or RuntimeError("the look is not over")
        return self._found


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResult:
    """What was found last. `is_looking`: a look was left behind, whose threads would be waited for at the end."""

    found: Reconciliation
    is_looking: bool

    def exit(self, code: int) -> NoReturn:
        """Leave with this code, and at once: AWS may take minutes to answer whom nobody waits for."""
        if self.is_looking:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        raise typer.Exit(code)


def watch(
    look: Look, *, clock: Clock, environment: Mapping[str, str], every_s: float, selection: WorkerFilter
) -> WatchResult:
    """Look every so often until somebody leaves. A look without an answer changes nothing.

    Raises: what a look raises, other than Unreachable; of the first one that too.
    """
    from deployctl.report.keyboard import keys_of  # noqa: PLC0415 - rich is loaded once there is something to draw
    from deployctl.report.reconcile_live import LiveReconcileTable  # noqa: PLC0415
    from deployctl.report.style import can_animate  # noqa: PLC0415

    found, looking = look(), None
    keys = keys_of(sys.stdin, clock, animates=can_animate(sys.stdout, environment))
    table = LiveReconcileTable(
        sys.stdout, clock=clock, environment=environment, keys=keys, selection=selection
    )
    try:
        with table:
            table.update(found)
            table.wait(every_s)
            while not table.is_left:
                looking = _BackgroundPoll(look)
                while not (table.is_left or looking.is_over()):
                    table.wait(LONGEST_LOOK_S, until=looking.is_over)
                if looking.is_over():
                    found = _taken(looking, table, found)
                    table.wait(every_s)
    except KeyboardInterrupt:
        pass
    return WatchResult(found=found, is_looking=looking is not None and not looking.is_over())


def _taken(looking: _BackgroundPoll, table: LiveReconcileTable, before: Reconciliation) -> Reconciliation:
    """Show what was seen, or why there was no answer. Raises: what the look raised, other than Unreachable."""
    try:
        found = looking.found()
    except Unreachable as error:
        table.poll_failed(error)
        return before
    table.poll_failed(None)
    table.update(found)
    return found

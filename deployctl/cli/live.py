"""Keeps a live table of reconciliations: looks again and again, while keys are heeded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from deployctl.errors import Unreachable

if TYPE_CHECKING:
    from deployctl.model.cause import Reconciliation
    from deployctl.ports import Clock
    from deployctl.report.selection import Selection

Look = Callable[[], "Reconciliation"]
# A look at 10,000 workers takes its time; the table is there meanwhile.
LONGEST_LOOK_S = 3_600.0


class _Looking:
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

    def found(self) -> Reconciliation | None:
        """What was seen; None while it is not over. Raises: what the look raised."""
        if self._error is not None:
            raise self._error
        return self._found


def watch(
    look: Look, *, clock: Clock, environment: Mapping[str, str], every_s: float, selection: Selection
) -> Reconciliation:
    """Look every so often until somebody leaves; what was found last. A look without an answer changes nothing.

    Raises: what a look raises, other than Unreachable; of the first one that too.
    """
    from deployctl.report.keys import NoKeys, keys_of  # noqa: PLC0415 - rich is loaded once there is something to draw
    from deployctl.report.look import can_animate  # noqa: PLC0415
    from deployctl.report.watched import WatchedTable  # noqa: PLC0415

    found = look()
    keys = keys_of(sys.stdin, clock, animates=can_animate(sys.stdout, environment))
    table = WatchedTable(sys.stdout, clock=clock, environment=environment, keys=keys, selection=selection)
    try:
        with table:
            table.take(found)
            while True:
                table.wait(every_s)
                if table.is_left:
                    return found
                try:
                    if isinstance(keys, NoKeys):
                        fresh: Reconciliation | None = look()
                    else:
                        looking = _Looking(look)
                        table.wait(LONGEST_LOOK_S, until=looking.is_over)
                        fresh = looking.found()
                except Unreachable as error:
                    table.trouble(error)
                    continue
                if fresh is not None:
                    found = fresh
                    table.trouble(None)
                    table.take(found)
    except KeyboardInterrupt:
        return found

"""A simulated world whose clock stands until a test moves it."""

from __future__ import annotations

from datetime import datetime, timedelta

from deployctl.sandbox.simulation import Simulation


class ManualSimulation(Simulation):
    def __init__(self, start: datetime, *, speed: float = 1.0, seed: int = 7) -> None:
        self._at = start
        super().__init__(speed=speed, seed=seed)

    def now(self) -> datetime:
        return self._at

    def advance(self, simulated_s: float) -> None:
        """Move the clock on, running each timer at its due time."""
        end = self._at + timedelta(seconds=simulated_s / self.speed)
        due = self.timers._due
        while due and due[0][0] <= end:
            self._at = max(self._at, due[0][0])
            self.timers.run_due()
        self._at = max(self._at, end)

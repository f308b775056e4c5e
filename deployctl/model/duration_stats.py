"""What is known of a release before it begins, besides what it will do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationStats:
    """How long a group took, in the median (`p50_s`) and at the 95th percentile, of so many releases that held."""

    p50_s: float
    p95_s: float
    releases: int

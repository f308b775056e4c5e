"""How long earlier releases took in a group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationStats:
    """How long a group took, at the median and the 95th percentile, in its `releases` verified releases."""

    p50_s: float
    p95_s: float
    releases: int

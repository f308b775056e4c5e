"""The queries over days and weeks. A light module: the command line imports it at start."""

from enum import StrEnum


class LakeQuery(StrEnum):
    """Each is the file of this name in `athena/queries`, with `_` for `-`."""

    SUMMARY = "summary"
    STALE_FOR = "stale-for"
    SKEW = "skew"
    TIME_TO_CURRENT = "time-to-current"
    DURATIONS = "durations"
    NEVER_REACHED = "never-reached"

    @property
    def reads_spans(self) -> bool:
        """Whether the query ignores days that are not compacted."""
        return self in (LakeQuery.SUMMARY, LakeQuery.STALE_FOR, LakeQuery.SKEW)

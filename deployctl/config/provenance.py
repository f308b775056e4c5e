"""Where a value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class SourceKind(StrEnum):
    """From the one that wins to the one that stands in where nothing else speaks."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    ASG_TAG = "asg-tag"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """`where` is what one would open or type: `--region`, `DEPLOYCTL_REGION`, `deployctl.toml:2`."""

    kind: SourceKind
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.kind.value


DEFAULT = Source(SourceKind.DEFAULT)


@dataclass(frozen=True, slots=True)
class WithSource(Generic[T]):
    value: T
    source: Source

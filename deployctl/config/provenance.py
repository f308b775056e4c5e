"""The source of a value."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class SourceKind(StrEnum):
    """In order of precedence, the strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    ASG_TAG = "asg-tag"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """`where` is the flag, variable or line: `--region`, `DEPLOYCTL_REGION`, `deployctl.toml:2`."""

    kind: SourceKind
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.kind.value


DEFAULT = Source(SourceKind.DEFAULT)


@dataclass(frozen=True, slots=True)
class WithSource(Generic[T]):
    value: T
    source: Source

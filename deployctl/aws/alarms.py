"""The Alarms port: CloudWatch's metric and composite alarms."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from deployctl.aws.batching import batches
from deployctl.aws.error_translation import translating
from deployctl.aws.session import Aws
from deployctl.errors import DeployctlError
from deployctl.model.port_errors import AlarmUnknown
from deployctl.ports import Alarm

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.literals import AlarmTypeType
    from mypy_boto3_cloudwatch.type_defs import CompositeAlarmTypeDef, MetricAlarmTypeDef

NAMES_A_CALL = 100
# CloudWatch omits composite alarms by default.
_TYPES: Final[list[AlarmTypeType]] = ["MetricAlarm", "CompositeAlarm"]
# The most pages to read when searching for a similar name.
_PAGES_OF_ALL = 10


class CloudWatchAlarms:
    """Safe to share by threads."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def describe(self, names: Sequence[str]) -> list[Alarm]:
        """Each alarm once, in the order of the names. Raises: AlarmUnknown."""
        wanted = list(dict.fromkeys(names))
        found = {
            alarm.name: alarm
            for batch in batches(wanted, NAMES_A_CALL)
            for page in self._pages(AlarmNames=batch)
            for alarm in page
        }
        for name in wanted:
            if name not in found:
                raise AlarmUnknown(name, self._nearest(name))
        return [found[name] for name in wanted]

    def _pages(self, **which: Any) -> Iterator[list[Alarm]]:
        with translating("cloudwatch:DescribeAlarms", noun="alarms"):
            pages = self._aws.cloudwatch.get_paginator("describe_alarms").paginate(
                AlarmTypes=_TYPES, PaginationConfig={"PageSize": NAMES_A_CALL}, **which
            )
            for page in pages:
                metric = [_alarm_of(info) for info in page.get("MetricAlarms", [])]
                yield metric + [_alarm_of(info) for info in page.get("CompositeAlarms", [])]

    def _nearest(self, name: str) -> tuple[str, ...]:
        """Existing alarms with similar names; none if listing is denied."""
        try:
            names = [alarm.name for page in islice(self._pages(), _PAGES_OF_ALL) for alarm in page]
        except DeployctlError:
            return ()
        return tuple(difflib.get_close_matches(name, names, n=3, cutoff=0.4))


def _alarm_of(info: MetricAlarmTypeDef | CompositeAlarmTypeDef) -> Alarm:
    # StateUpdatedTimestamp also changes without a change of state; older regions have no other.
    since = info.get("StateTransitionedTimestamp") or info["StateUpdatedTimestamp"]
    return Alarm(
        name=info["AlarmName"],
        is_firing=info["StateValue"] == "ALARM",
        since=since,
        reason=info.get("StateReason", ""),
    )

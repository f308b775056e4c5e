"""CloudWatch's alarms. There are no metrics: an alarm keeps the state it was set to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from deployctl.sandbox.alarm_rule import BadRule, Rule, parse_rule
from deployctl.sandbox.constants import ACCOUNT_ID, REGION
from deployctl.sandbox.pagination import page
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused, invalid, not_modelled

Params = Mapping[str, Any]

STATES: Final = ("OK", "ALARM", "INSUFFICIENT_DATA")
METRIC: Final = "MetricAlarm"
COMPOSITE: Final = "CompositeAlarm"
ALARMS_A_PAGE: Final = (50, 100)
NAMES_A_CALL: Final = 100

_UNCHECKED: Final = "Unchecked: Initial alarm creation"
_NOT_SHOWN: Final = frozenset({"Tags"})


@dataclass(slots=True, kw_only=True)
class Alarm:
    """`settings` are the request members that created the alarm. A composite alarm has a `rule`."""

    name: str
    settings: dict[str, Any]
    rule: Rule | None
    configured_at: datetime
    updated_at: datetime
    transitioned_at: datetime
    state: str = "INSUFFICIENT_DATA"
    reason: str = _UNCHECKED

    @property
    def kind(self) -> str:
        return METRIC if self.rule is None else COMPOSITE


@dataclass(slots=True)
class CloudWatch:
    """The alarms of one region. Callers hold the world's lock."""

    world: Simulation
    alarms: dict[str, Alarm] = field(default_factory=dict)

    def describe_alarms(self, params: Params) -> dict[str, Any]:
        """Alarms of all types, ordered by name, that match every filter."""
        for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName", "ActionPrefix"):
            if params.get(member):
                raise not_modelled(f"DescribeAlarms with {member}")
        names = frozenset(params.get("AlarmNames") or ())
        _refuse_bad_names(names, params)
        # AWS omits composite alarms unless AlarmTypes names them.
        kinds = frozenset(params.get("AlarmTypes") or (METRIC,))
        chosen = [
            alarm
            for alarm in sorted(self.alarms.values(), key=lambda alarm: alarm.name)
            if alarm.kind in kinds and (not names or alarm.name in names) and _fits(alarm, params)
        ]
        token = params.get("NextToken")
        bad_token = Refused("InvalidNextToken", f"The next token {token} is invalid.")
        shown, more = page(
            chosen, size=_page_size(params), token=token, key=lambda a: a.name, bad_token=bad_token
        )
        return {
            "MetricAlarms": [_shape(alarm) for alarm in shown if alarm.kind == METRIC],
            "CompositeAlarms": [_shape(alarm) for alarm in shown if alarm.kind == COMPOSITE],
            "NextToken": more,
        }

    def put_metric_alarm(self, params: Params) -> None:
        if not any(params.get(member) for member in ("MetricName", "Metrics", "EvaluationCriteria")):
            raise invalid("One of MetricName, Metrics and EvaluationCriteria must be specified")
        self._put(params, rule=None)

    def put_composite_alarm(self, params: Params) -> None:
        try:
            rule = parse_rule(params["AlarmRule"])
        except BadRule as error:
            raise invalid(f"AlarmRule is not valid: {error}") from error
        unknown = sorted(rule.children - self.alarms.keys())
        if unknown:
            raise invalid(f"AlarmRule names alarms that do not exist: {', '.join(unknown)}")
        self._evaluate(self._put(params, rule=rule))

    def _put(self, params: Params, *, rule: Rule | None) -> Alarm:
        """A new alarm has no data yet. An existing alarm keeps only its state."""
        name, now = params["AlarmName"], self.world.now()
        settings = {
            key: value for key, value in params.items() if value is not None and key not in _NOT_SHOWN
        }
        known = self.alarms.get(name)
        if known is None:
            known = self.alarms[name] = Alarm(
                name=name,
                settings=settings,
                rule=rule,
                configured_at=now,
                updated_at=now,
                transitioned_at=now,
            )
        elif (known.rule is None) != (rule is None):
            raise invalid(f"{name} exists, and is a {known.kind}")
        known.settings, known.rule, known.configured_at = settings, rule, now
        return known

    def set_alarm_state(self, params: Params) -> None:
        name, state = params["AlarmName"], params["StateValue"]
        if name not in self.alarms:
            raise Refused("ResourceNotFound", f"The alarm {name} does not exist")
        if params.get("StateReasonData"):
            raise not_modelled("SetAlarmState with StateReasonData")
        if state not in STATES:
            raise invalid(
                f"1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint:"
                f" Member must satisfy enum value set: [{', '.join(STATES)}]"
            )
        self._set(self.alarms[name], state, params["StateReason"])

    def _set(self, alarm: Alarm, state: str, reason: str) -> None:
        now, changes = self.world.now(), alarm.state != state
        alarm.state, alarm.reason, alarm.updated_at = state, reason, now
        if not changes:
            return
        alarm.transitioned_at = now
        self.world.events.record("alarm-changed", alarm=alarm.name, state=state, reason=reason)
        for parent in self.alarms.values():
            if parent.rule is not None and alarm.name in parent.rule.children:
                self._evaluate(parent)

    def _evaluate(self, alarm: Alarm) -> None:
        """A composite alarm follows its children; an alarm among its own descendants keeps its state."""
        if alarm.rule is None or self._is_circular(alarm):
            return
        states = {each.name: each.state for each in self.alarms.values()}
        state = "ALARM" if alarm.rule.fires(states) else "OK"
        if alarm.state != state:
            self._set(alarm, state, f"{alarm.name} transitioned to {state}: {alarm.settings['AlarmRule']}")

    def _is_circular(self, alarm: Alarm) -> bool:
        seen: set[str] = set()
        waiting = [alarm.name]
        while waiting:
            found = self.alarms.get(waiting.pop())
            children = found.rule.children if found is not None and found.rule is not None else frozenset()
            if alarm.name in children:
                return True
            waiting += children - seen
            seen |= children
        return False

    def delete_alarms(self, params: Params) -> None:
        """Delete the alarms that exist, even if other names are unknown."""
        names: Sequence[str] = params.get("AlarmNames") or ()
        for name in names:
            used = [a.name for a in self.alarms.values() if a.rule is not None and name in a.rule.children]
            if used:
                raise Refused("ResourceConflict", f"{name} is in the rule of {', '.join(used)}")
        unknown = [name for name in names if self.alarms.pop(name, None) is None]
        if unknown:
            raise Refused("ResourceNotFound", f"These alarms do not exist: {', '.join(unknown)}")


def _refuse_bad_names(names: frozenset[str], params: Params) -> None:
    if len(names) > NAMES_A_CALL:
        raise invalid(
            "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint:"
            f" Member must have length less than or equal to {NAMES_A_CALL}"
        )
    if names and params.get("AlarmNamePrefix"):
        raise invalid("AlarmNamePrefix cannot be specified with AlarmNames")


def _page_size(params: Params) -> int:
    default, most = ALARMS_A_PAGE
    given = params.get("MaxRecords")
    size = default if given is None else int(given)
    if not 1 <= size <= most:
        raise invalid(
            f"1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy constraint:"
            f" Member must have value between 1 and {most}"
        )
    return size


def _fits(alarm: Alarm, params: Params) -> bool:
    state, prefix = params.get("StateValue"), params.get("AlarmNamePrefix") or ""
    return (not state or alarm.state == state) and alarm.name.startswith(prefix)


def _shape(alarm: Alarm) -> dict[str, Any]:
    """A MetricAlarm or CompositeAlarm in botocore's output shape."""
    return {
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        **alarm.settings,
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{alarm.name}",
        "AlarmConfigurationUpdatedTimestamp": alarm.configured_at,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": alarm.updated_at,
        "StateTransitionedTimestamp": alarm.transitioned_at,
    }

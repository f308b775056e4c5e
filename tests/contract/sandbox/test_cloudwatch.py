"""CloudWatch's alarms as AWS describes them, where moto only pretends."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def cloudwatch(sandbox):
    return sandbox.client("cloudwatch")


@pytest.fixture
def prefix():
    """Begins the names of this test's alarms, and of no other's."""
    return f"alarm-{uuid.uuid4().hex[:10]}-"


@pytest.fixture
def put(cloudwatch, prefix):
    def put(word, **members):
        alarm = {
            "AlarmName": prefix + word,
            "Namespace": "shop",
            "MetricName": "TasksFailed",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }
        cloudwatch.put_metric_alarm(**{**alarm, **members})
        return prefix + word

    return put


@pytest.fixture
def shown(cloudwatch):
    def shown(name):
        found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        (alarm,) = found["MetricAlarms"] + found["CompositeAlarms"]
        return alarm

    return shown


def refusal(call, **asked):
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["Error"]["Code"]


def test_a_new_alarm_has_no_data(put, shown):
    alarm = shown(put("a"))
    assert (alarm["StateValue"], alarm["StateReason"]) == (
        "INSUFFICIENT_DATA",
        "Unchecked: Initial alarm creation",
    )
    assert alarm["StateUpdatedTimestamp"] == alarm["StateTransitionedTimestamp"]


def test_putting_an_alarm_again_replaces_what_it_is_and_keeps_its_state(cloudwatch, put, shown):
    name = put("a", AlarmDescription="old")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by a test")
    put("a", Threshold=5.0)
    alarm = shown(name)
    assert (alarm["StateValue"], alarm["Threshold"]) == ("ALARM", 5.0)
    assert "AlarmDescription" not in alarm
    assert alarm["AlarmConfigurationUpdatedTimestamp"] > alarm["StateUpdatedTimestamp"]


def test_setting_a_state_moves_its_time_stamps(cloudwatch, put, shown):
    name = put("a")
    new = shown(name)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="one")
    first = shown(name)
    assert (
        first["StateUpdatedTimestamp"] == first["StateTransitionedTimestamp"] > new["StateUpdatedTimestamp"]
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="two")
    second = shown(name)
    assert second["StateUpdatedTimestamp"] > first["StateUpdatedTimestamp"]
    assert second["StateTransitionedTimestamp"] == first["StateTransitionedTimestamp"]


def test_composite_alarms_are_left_out_unless_requested(cloudwatch, put, prefix):
    cloudwatch.put_composite_alarm(AlarmName=prefix + "c", AlarmRule=f"ALARM({put('a')})")

    def names(**asked):
        found = cloudwatch.describe_alarms(AlarmNamePrefix=prefix, **asked)
        return [
            a["AlarmName"].removeprefix(prefix)
            for kind in ("MetricAlarms", "CompositeAlarms")
            for a in found[kind]
        ]

    assert names() == ["a"]
    assert names(AlarmTypes=["CompositeAlarm"]) == ["c"]
    assert names(AlarmTypes=["MetricAlarm", "CompositeAlarm"]) == ["a", "c"]


@pytest.mark.parametrize(
    ("rule", "states", "expected"),
    [
        ("ALARM(A) AND NOT ALARM(B)", ("ALARM", "OK"), "ALARM"),
        ("ALARM(A) AND NOT ALARM(B)", ("ALARM", "ALARM"), "OK"),
        ('(ALARM("A") OR ALARM("B")) AND OK(B)', ("ALARM", "OK"), "ALARM"),
        ("ALARM(A) OR ALARM(B) AND OK(A)", ("ALARM", "OK"), "ALARM"),
        ("INSUFFICIENT_DATA(A)", ("INSUFFICIENT_DATA", "OK"), "ALARM"),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:123456789012:alarm:A)", ("ALARM", "OK"), "ALARM"),
        ("TRUE", ("OK", "OK"), "ALARM"),
        ("false or NOT (TRUE)", ("OK", "OK"), "OK"),
    ],
)
def test_a_composite_alarm_has_the_state_that_its_rule_says(
    cloudwatch, put, shown, prefix, *, rule, states, expected
):
    for word, state in zip(("A", "B"), states, strict=True):
        cloudwatch.set_alarm_state(AlarmName=put(word), StateValue=state, StateReason="by a test")
    said = rule.replace("A)", f"{prefix}A)").replace('A")', f'{prefix}A")')
    said = said.replace("B)", f"{prefix}B)").replace('B")', f'{prefix}B")')
    cloudwatch.put_composite_alarm(AlarmName=prefix + "c", AlarmRule=said)
    assert shown(prefix + "c")["StateValue"] == expected


def test_a_composite_alarm_follows_its_children_and_theirs(cloudwatch, put, shown, prefix):
    child = put("a")
    cloudwatch.put_composite_alarm(AlarmName=prefix + "b", AlarmRule=f"ALARM({child})")
    cloudwatch.put_composite_alarm(AlarmName=prefix + "c", AlarmRule=f"ALARM({prefix}b)")
    cloudwatch.set_alarm_state(AlarmName=child, StateValue="ALARM", StateReason="by a test")
    assert shown(prefix + "c")["StateValue"] == "ALARM"
    cloudwatch.set_alarm_state(AlarmName=child, StateValue="OK", StateReason="by a test")
    assert shown(prefix + "c")["StateValue"] == "OK"


def test_a_composite_alarm_that_was_set_keeps_its_state_until_a_child_changes(cloudwatch, put, shown, prefix):
    child = put("a")
    cloudwatch.put_composite_alarm(AlarmName=prefix + "c", AlarmRule=f"ALARM({child})")
    cloudwatch.set_alarm_state(AlarmName=prefix + "c", StateValue="ALARM", StateReason="by a test")
    assert shown(prefix + "c")["StateValue"] == "ALARM"
    cloudwatch.set_alarm_state(AlarmName=child, StateValue="OK", StateReason="by a test")
    assert shown(prefix + "c")["StateValue"] == "OK"


def test_alarms_that_depend_on_each_other_are_not_evaluated(cloudwatch, put, shown, prefix):
    put("x")
    cloudwatch.put_composite_alarm(AlarmName=prefix + "a", AlarmRule=f"ALARM({prefix}x)")
    cloudwatch.put_composite_alarm(AlarmName=prefix + "b", AlarmRule=f"NOT ALARM({prefix}a)")
    assert shown(prefix + "b")["StateValue"] == "ALARM"
    cloudwatch.put_composite_alarm(AlarmName=prefix + "a", AlarmRule=f"ALARM({prefix}b)")
    cloudwatch.set_alarm_state(AlarmName=prefix + "a", StateValue="ALARM", StateReason="by a test")
    assert [shown(prefix + word)["StateValue"] for word in "ab"] == ["ALARM", "ALARM"]


def test_every_alarm_is_on_one_page(cloudwatch, put, prefix):
    names = [put(f"{number:02}") for number in range(7)]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, PaginationConfig={"PageSize": 3}
    )
    shown = [[alarm["AlarmName"] for alarm in page["MetricAlarms"]] for page in pages]
    assert shown == [names[:3], names[3:6], names[6:]]


def test_filters_narrow_one_another_down(cloudwatch, put, prefix):
    put("a")
    name = put("b")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by a test")

    def names(**asked):
        return [
            a["AlarmName"]
            for a in cloudwatch.describe_alarms(AlarmNamePrefix=prefix, **asked)["MetricAlarms"]
        ]

    assert names(StateValue="ALARM") == [name]
    assert names(StateValue="OK") == []


def test_what_is_shown_has_the_shape_of_botocores_model(cloudwatch, put, prefix, problems):
    cloudwatch.put_composite_alarm(AlarmName=prefix + "c", AlarmRule=f"ALARM({put('a')})")
    shown = cloudwatch.describe_alarms(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert len(shown["MetricAlarms"] + shown["CompositeAlarms"]) == 2
    assert problems(cloudwatch, "DescribeAlarms", shown) == []


def test_an_alarm_is_deleted_even_if_another_name_is_unknown(cloudwatch, put, prefix):
    name = put("a")
    assert refusal(cloudwatch.delete_alarms, AlarmNames=[name, prefix + "no"]) == "ResourceNotFound"
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_an_alarm_in_a_rule_cannot_be_deleted(cloudwatch, put, prefix):
    name = put("a")
    cloudwatch.put_composite_alarm(AlarmName=prefix + "c", AlarmRule=f"ALARM({name})")
    assert refusal(cloudwatch.delete_alarms, AlarmNames=[name]) == "ResourceConflict"


@pytest.mark.parametrize(
    ("call", "asked", "code"),
    [
        (
            "set_alarm_state",
            {"AlarmName": "no", "StateValue": "OK", "StateReason": ""},
            "ResourceNotFound",
        ),
        (
            "set_alarm_state",
            {"AlarmName": "shop-errors", "StateValue": "LOUD", "StateReason": ""},
            "ValidationError",
        ),
        (
            "set_alarm_state",
            {"AlarmName": "shop-errors", "StateValue": "OK", "StateReason": "", "StateReasonData": "{}"},
            "NotImplementedBySandbox",
        ),
        ("put_metric_alarm", {"AlarmName": "no"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "ALARM(nothing)"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "ALARM(shop-errors"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "TRUE TRUE"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "NOT"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "(TRUE"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "TRUE AND OR"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "TRUE (TRUE)"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "no", "AlarmRule": "TRUE ()"}, "ValidationError"),
        ("put_composite_alarm", {"AlarmName": "shop-errors", "AlarmRule": "TRUE"}, "ValidationError"),
        ("describe_alarms", {"NextToken": "nonsense"}, "InvalidNextToken"),
        (
            "describe_alarms",
            {"MaxRecords": 100, "AlarmNames": [str(n) for n in range(101)]},
            "ValidationError",
        ),
        ("describe_alarms", {"AlarmNamePrefix": "a", "AlarmNames": ["a"]}, "ValidationError"),
        ("describe_alarms", {"ChildrenOfAlarmName": "a"}, "NotImplementedBySandbox"),
        ("describe_alarms", {"ActionPrefix": "arn:aws:sns"}, "NotImplementedBySandbox"),
        ("put_dashboard", {"DashboardName": "a", "DashboardBody": "{}"}, "NotImplementedBySandbox"),
    ],
)
def test_what_is_refused_is_refused_with_a_code(cloudwatch, call, asked, code):
    assert refusal(getattr(cloudwatch, call), **asked) == code


def test_more_records_than_a_page_holds_are_refused(sandbox):
    client = sandbox.client("cloudwatch", parameter_validation=False)
    assert refusal(client.describe_alarms, MaxRecords=101) == "ValidationError"

"""The sandbox's control API: faults, reclaims, scaling, alarms and events."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import datetime

import pytest

from deployctl.sandbox.control import Control
from deployctl.sandbox.errors import BadControl, SandboxNotRunning


@pytest.fixture
def fleet(start_sandbox):
    """A sandbox to change: two groups of four."""
    return start_sandbox(groups=2, workers=8, seed=21, speed=600.0)


def states(sandbox, group):
    return [w["state"] for w in sandbox.control.workers() if w["group"] == group]


def test_workers_are_listed_as_the_contract_says(sandbox):
    workers = sandbox.control.workers()
    assert len(workers) >= 18
    assert set(workers[0]) == {"instance_id", "group", "state"}
    assert {w["group"] for w in workers} >= {"video-transcode", "mail-send"}


def test_workers_and_ec2_know_the_same_instances(sandbox):
    # Of groups that no test changes: elsewhere instances come and go between the two questions.
    asg = [{"Name": "tag:aws:autoscaling:groupName", "Values": ["shop-mail-send", "shop-video-transcode"]}]
    reservations = sandbox.client("ec2").describe_instances(Filters=asg)["Reservations"]
    ids = {i["InstanceId"] for r in reservations for i in r["Instances"]}
    workers = sandbox.control.workers()
    assert {w["instance_id"] for w in workers if w["group"] in ("mail-send", "video-transcode")} == ids


def test_health_shows_the_start_options(sandbox):
    health = sandbox.control.health()
    assert health["endpoint"] == sandbox.endpoint
    assert health["settings"]["groups"] == 6


def test_scaling_out_and_in_changes_the_group(fleet, until):
    assert fleet.control.scale_out("mail-send", 2) == [
        {"group": "mail-send", "asg": "shop-mail-send", "desired": 6}
    ]
    until(lambda: states(fleet, "mail-send").count("InService") == 6)
    fleet.control.scale_in("mail-send", 2)
    until(lambda: states(fleet, "mail-send").count("InService") == 4)


def test_a_reclaim_takes_a_share_of_a_group_and_the_events_record_it(fleet, until):
    before = fleet.control.events()
    since = before[-1]["seq"] if before else 0
    ids = fleet.control.reclaim(group="video-*", fraction=0.5, notice_s=60)
    assert len(ids) == 2

    def both_gone():
        seen = fleet.control.events(since=since, kinds=["spot-notice", "instance-gone"])
        return seen if len(seen) >= 4 else None

    happened = until(both_gone)
    assert {e["instance_id"] for e in happened} == set(ids)
    times = [datetime.fromisoformat(e["at"]) for e in happened]
    assert times == sorted(times)
    assert all(e["at"].endswith("Z") for e in happened)
    until(lambda: states(fleet, "video-transcode").count("InService") == 4)


def test_an_unhealthy_worker_is_replaced(fleet, until):
    sick = next(w["instance_id"] for w in fleet.control.workers() if w["state"] == "InService")
    assert fleet.control.unhealthy([sick]) == [sick]

    def state():
        return {w["instance_id"]: w["state"] for w in fleet.control.workers()}.get(sick)

    until(lambda: state() in ("terminated", None))


def test_faults_are_injected_listed_and_cleared(sandbox):
    injected = sandbox.control.inject("hook-fails", group="mail-send", exit_code=3, times=2)
    listed = {fault["fault_id"]: fault for fault in sandbox.control.faults()}
    assert listed[injected["fault_id"]]["fault"] == "hook-fails"
    assert listed[injected["fault_id"]]["exit_code"] == 3
    assert sandbox.control.clear([injected["fault_id"]]) == 1
    assert injected["fault_id"] not in {fault["fault_id"] for fault in sandbox.control.faults()}


def test_an_alarm_fires_until_it_is_cleared_and_the_events_record_it(sandbox):
    fired = sandbox.control.set_alarm("shop-errors", "ALARM", reason="by a test")
    assert fired == {"name": "shop-errors", "state": "ALARM", "reason": "by a test"}
    (shown,) = sandbox.client("cloudwatch").describe_alarms(AlarmNames=["shop-errors"])["MetricAlarms"]
    assert (shown["StateValue"], shown["StateReason"]) == ("ALARM", "by a test")
    sandbox.control.set_alarm("shop-errors", "OK")
    changes = sandbox.control.events(kinds=["alarm-changed"])
    assert [(e["alarm"], e["state"]) for e in changes if e["alarm"] == "shop-errors"][-2:] == [
        ("shop-errors", "ALARM"),
        ("shop-errors", "OK"),
    ]


def test_a_fault_on_deployments_is_listed_and_cleared_like_any_other(sandbox):
    injected = sandbox.control.inject("resume-fails", group="mail-send")
    assert (injected["fault"], injected["group"], injected["times"]) == ("resume-fails", "mail-send", None)
    assert injected in sandbox.control.faults()
    assert sandbox.control.clear([injected["fault_id"]]) == 1
    assert injected not in sandbox.control.faults()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (lambda control: control.inject("earthquake"), "unknown fault 'earthquake'"),
        (
            lambda control: control.inject("throttle", colour="red"),
            "throttle takes no colour; it takes operation",
        ),
        (lambda control: control.inject("hook-fails", event="Validate"), "no hook runs at Validate"),
        (lambda control: control.inject("hook-fails", group="male-*"), "no group matches male-"),
        (
            lambda control: control.inject("resume-fails", instance="i-0"),
            "resume-fails takes no instance; it takes group, times",
        ),
        (lambda control: control.inject("suspend-fails", group="male-*"), "no group matches male-"),
        (lambda control: control.inject("agent-silent", instance="i-0"), "no instance matches i-0"),
        (
            lambda control: control.set_alarm("no-such", "ALARM"),
            "unknown alarm no-such; alarms: .*shop-errors",
        ),
        (lambda control: control.set_alarm("shop-errors", "LOUD"), "must satisfy enum value set"),
        (lambda control: control.scale_out("no-such-group"), "no group matches no-such-group"),
        (lambda control: control.scale_out("mail-send", 100_000), "above max value"),
        (lambda control: control.reclaim(["i-0123456789abcdef0"]), "does not exist"),
        (lambda control: control.reclaim([]), "the list of instances is empty"),
        (lambda control: control.unhealthy(["i-0123456789abcdef0"]), "No managed instance found"),
    ],
)
def test_the_control_api_refuses_invalid_requests(sandbox, request_, words):
    with pytest.raises(BadControl, match=words):
        request_(sandbox.control)


def test_one_unknown_worker_refuses_the_whole_request(sandbox):
    known = sandbox.control.workers()[0]["instance_id"]
    before = len(sandbox.control.events(kinds=["instance-unhealthy", "spot-notice"]))
    with pytest.raises(BadControl):
        sandbox.control.unhealthy([known, "i-0123456789abcdef0"])
    with pytest.raises(BadControl):
        sandbox.control.reclaim([known, "i-0123456789abcdef0"])
    assert len(sandbox.control.events(kinds=["instance-unhealthy", "spot-notice"])) == before


def test_a_web_page_may_not_control_the_sandbox(sandbox):
    request = urllib.request.Request(
        f"{sandbox.endpoint}/_sandbox/stop", data=b"{}", headers={"Origin": "https://example.com"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    caught.value.close()
    assert caught.value.code == 403


def test_where_nothing_listens_no_sandbox_is_running():
    with pytest.raises(SandboxNotRunning):
        Control("http://127.0.0.1:9").health()

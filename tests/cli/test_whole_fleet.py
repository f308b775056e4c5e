"""Fifty groups of six workers, v1, then v2 with three troubles: what a release promises, seen from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository

BROKEN_GROUP, SPOT_GROUP, GROWING_GROUP = "video-transcode", "mail-send", "image-resize"
RULES = """
[[groups]]
match = "video-*"
strategy = "one"

[[groups]]
match = "audit-log"
strategy = "all"

[[groups]]
match = "sms-*"
strategy = "35%"
"""


class Story:
    """What was seen of both releases, once for all the tests of this file."""

    def __init__(self, sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.repository = make_repository(folder, sandbox.env)
        toml = self.repository.folder / "deployctl.toml"
        toml.write_text(toml.read_text() + RULES)
        self.repository.commit("rules")
        self.v1 = self.release("v1", ExitCode.DONE)
        self.repository.commit("another")
        self.broken = self.worker_of(BROKEN_GROUP)
        sandbox.control.inject("hook-fails", instance=self.broken, exit_code=3, message="no database")
        self.reclaimed: list[str] = []
        trouble = threading.Thread(target=self.cause_trouble)
        trouble.start()
        self.v2 = self.release("v2", ExitCode.FAILED)
        trouble.join()
        assert self.reclaimed, f"no worker of {SPOT_GROUP} went down for v2 while it was released"
        done = self.repository.deployctl("reconcile", "--json")
        assert done.code == ExitCode.DRIFT, done.stderr
        self.found = done.data
        self.events = sandbox.control.events()

    def release(self, version, code):
        done = self.repository.deployctl("release", version, "--json")
        assert done.code == code, done.stderr
        return done.data

    def planned_at(self, outcome):
        """When the release wrote down what it was about to do: the first thing after its plan."""
        key = f"journal/shop/{outcome['release_id']}/000001.json"
        body = self.sandbox.client("s3").get_object(Bucket="deployctl-sandbox", Key=key)["Body"].read()
        return datetime.fromisoformat(json.loads(body)["entry"]["at"])

    def worker_of(self, group):
        return next(w["instance_id"] for w in self.sandbox.control.workers() if w["group"] == group)

    def cause_trouble(self):
        """Once v2 takes a worker down: reclaim it, and scale another group out."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self.reclaimed:
            down = self.sandbox.control.events(kinds=["worker-down"])
            self.reclaimed = [
                e["instance_id"] for e in down if e["group"] == SPOT_GROUP and e["version"] == "v2"
            ][:1]
            time.sleep(0.05)
        if self.reclaimed:
            self.sandbox.control.reclaim(self.reclaimed, notice_s=0)
        self.sandbox.control.scale_out(GROWING_GROUP, 1)

    def living(self):
        return {
            w["instance_id"] for w in self.sandbox.control.workers() if w["state"] in ("InService", "Pending")
        }


@pytest.fixture(scope="module")
def story(start_sandbox, tmp_path_factory) -> Story:
    sandbox = start_sandbox(groups=50, workers=300, seed=11, speed=60.0)
    return Story(sandbox, tmp_path_factory.mktemp("fleet") / "repo")


def by_id(outcome):
    return {w["instance_id"]: w for g in outcome["groups"] for w in g["workers"]}


def test_every_living_worker_appears_once_in_the_release_and_in_the_reconciliation(story):
    for workers in (
        [w["instance_id"] for g in story.v2["groups"] for w in g["workers"] if w["verdict"] != "excused"],
        [w["instance_id"] for w in story.found["workers"] if w["category"] != "terminated-mid-deploy"],
    ):
        assert len(workers) == len(set(workers))
        assert set(workers) == story.living()


def test_the_failing_hook_is_found_with_its_reason(story):
    worker = by_id(story.v2)[story.broken]
    assert worker["verdict"] == "failed"
    assert "ValidateService" in worker["cause"]
    assert "no database" in worker["cause"]
    group = next(g for g in story.v2["groups"] if g["group"] == BROKEN_GROUP)
    assert (group["verdict"], story.v2["verdict"]) == ("failed", "failed")


def test_the_reclaimed_worker_is_excused_with_its_evidence(story):
    worker = by_id(story.v2)[story.reclaimed[0]]
    assert (worker["verdict"], worker["cause"]) == ("excused", "reclaimed by spot")


def test_workers_launched_in_the_middle_end_on_the_new_version(story):
    for name in (SPOT_GROUP, GROWING_GROUP):
        group = next(g for g in story.v2["groups"] if g["group"] == name)
        assert group["verdict"] == "verified"
    growing = next(g for g in story.v2["groups"] if g["group"] == GROWING_GROUP)
    assert len(growing["workers"]) == 7


def test_reconcile_finds_the_drifted_workers_and_causes_and_calls_the_rest_current(story):
    behind = {w["instance_id"]: w for w in story.found["workers"] if w["category"] != "current"}
    behind = {i: w for i, w in behind.items() if w["group"] == BROKEN_GROUP}
    assert behind[story.broken]["category"] == "failed"
    assert behind[story.broken]["cause"] == "script-failed"
    assert "deployctl rollback --to v1" in behind[story.broken]["remedy"]
    gone = [w for w in story.found["workers"] if w["category"] == "terminated-mid-deploy"]
    assert {w["instance_id"]: w["cause"] for w in gone} == {story.reclaimed[0]: "reclaimed-by-spot"}
    others = [w for w in story.found["workers"] if w["group"] != BROKEN_GROUP and w not in gone]
    assert {w["category"] for w in others} == {"current"}


def test_the_tags_in_aws_agree_worker_by_worker(story):
    aws = Path(sys.executable).with_name("aws")
    query = "Reservations[].Instances[].{id: InstanceId, tags: Tags}"
    described = subprocess.run(
        [aws, "ec2", "describe-instances", "--output", "json", "--query", query,
         "--filters", "Name=instance-state-name,Values=running"],
        env=story.sandbox.env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    tags = {i["id"]: {t["Key"]: t["Value"] for t in i["tags"]} for i in json.loads(described)}
    assert set(tags) == story.living()
    for worker in story.found["workers"]:
        if worker["instance_id"] in tags:
            mine = tags[worker["instance_id"]]
            assert mine.get("deployctl:version") == worker["deployed_version"]
            assert mine.get("deployctl:group") == worker["group"]


def test_all_deployments_are_created_within_three_seconds_of_the_plan(story):
    created = [e for e in story.events if e["kind"] == "deployment-created" and e["creator"] == "user"]
    for outcome, fifty in ((story.v1, created[:50]), (story.v2, created[50:100])):
        assert len({e["group"] for e in fifty}) == 50
        last = datetime.fromisoformat(fifty[-1]["at"])
        assert (last - story.planned_at(outcome)).total_seconds() < 3
    # Only the group that waited for a worker which was gone got a second deployment.
    assert {e["group"] for e in created[100:]} <= {SPOT_GROUP}


def test_a_group_never_has_more_workers_down_than_its_strategy_allows(story):
    # Of six workers; a percentage is rounded down.
    most = {"one": 1, "half": 3, "all": 6, "35%": 2}
    allowed = {g["group"]: most[g["strategy"]] for g in story.v2["groups"]}
    assert set(most) == {g["strategy"] for g in story.v2["groups"]}
    down: dict[str, set[str]] = defaultdict(set)
    seen_down: dict[str, int] = defaultdict(int)
    for event in story.events:
        if event["kind"] == "worker-down" and event["creator"] not in ("autoscaling", "CodeDeployAutoUpdate"):
            down[event["group"]].add(event["instance_id"])
            seen_down[event["group"]] = max(seen_down[event["group"]], len(down[event["group"]]))
        elif event["kind"] == "worker-up":
            down[event["group"]].discard(event["instance_id"])
        elif event["kind"] == "instance-gone":
            for group in down.values():
                group.discard(event["instance_id"])
    over = {g: n for g, n in seen_down.items() if n > allowed[g]}
    assert over == {}
    # And the strategies are used to the full: no worker waits needlessly.
    assert seen_down["audit-log"] == 6
    assert seen_down["sms-send"] == 2


def test_the_calls_stay_within_their_budget(story):
    calls = story.v1["calls"]
    assert calls["codedeploy:CreateDeployment"] == 50
    assert calls["codedeploy:ListDeploymentTargets"] == 50
    # A worker's target changes its deployment's counts twice, as it begins and as it ends, and each change is
    # read at most once: far less than 50 groups at every poll.
    assert calls["codedeploy:BatchGetDeploymentTargets"] <= 50 * 2 * 6
    assert calls["ec2:CreateTags"] <= calls["codedeploy:BatchGetDeployments"]
    assert calls["s3:PutObject"] <= 12 + 3 * calls["codedeploy:BatchGetDeployments"]


def test_a_second_release_has_nothing_to_do(story):
    done = story.repository.deployctl("release", "v2", "--group", "audit-log", "--json")
    assert done.code == ExitCode.DONE
    assert "codedeploy:CreateDeployment" not in done.data["calls"]

"""`deployctl reconcile --fix` as a process, against a sandbox with real troubles."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deployctl.errors import ExitCode
from deployctl.sandbox.constants import APPLICATION, BUCKET
from tests.cli.conftest import Repository, make_repository

#: Which group has which trouble.
OUTSIDE, EDITED, SILENT, FAILED = "image-resize", "mail-send", "search-index", "video-transcode"
RULES = f"""
[[groups]]
match = "{SILENT}"
strategy = "all"
max_failed = 1

[[groups]]
match = "{FAILED}"
strategy = "all"
"""


class Troubled:
    """A fleet on v2 with four troubles, of which --fix can fix three; the tests of this file build on each other."""

    def __init__(self, sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.repository: Repository = make_repository(folder, sandbox.env)
        toml = self.repository.folder / "deployctl.toml"
        toml.write_text(toml.read_text() + RULES)
        self.repository.commit("rules")
        assert self.run("release", "v1").code == ExitCode.DONE
        self.repository.commit("the next")
        self.silent, self.failed = self.worker_of(SILENT), self.worker_of(FAILED)
        sandbox.control.inject("agent-silent", instance=self.silent, times=1)
        sandbox.control.inject("hook-fails", instance=self.failed, message="no database")
        assert self.run("release", "v2", "--on-failure", "continue").code == ExitCode.FAILED
        self.edited = self.worker_of(EDITED)
        self.tag(self.edited, version="v1")
        self.outside = self.workers_of(OUTSIDE)
        self.deploy(OUTSIDE, "v1")

    def run(self, *arguments: str):
        return self.repository.deployctl(*arguments)

    def workers_of(self, group: str) -> list[str]:
        workers = self.sandbox.control.workers()
        return [w["instance_id"] for w in workers if w["group"] == group and w["state"] == "InService"]

    def worker_of(self, group: str) -> str:
        return self.workers_of(group)[0]

    def tag(self, instance_id: str, *, version: str) -> None:
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))
        self.sandbox.client("ec2").create_tags(
            Resources=[instance_id],
            Tags=[
                {"Key": "deployctl:version", "Value": version},
                {"Key": "deployctl:deployed-at", "Value": later},
            ],
        )

    def deploy(self, group: str, version: str) -> None:
        """As a person does in the console."""
        codedeploy = self.sandbox.client("codedeploy")
        key = f"artifacts/{APPLICATION}/{version}/bundle.tar.gz"
        reply = codedeploy.create_deployment(
            applicationName=APPLICATION,
            deploymentGroupName=group,
            deploymentConfigName="CodeDeployDefault.AllAtOnce",
            revision={
                "revisionType": "S3",
                "s3Location": {"bucket": BUCKET, "key": key, "bundleType": "tgz"},
            },
        )
        codedeploy.get_waiter("deployment_successful").wait(
            deploymentId=reply["deploymentId"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    def changes(self) -> dict[str, int]:
        calls = self.sandbox.control.calls()
        names = ("CreateDeployment", "CreateTags", "TerminateInstanceInAutoScalingGroup")
        return {name: sum(n for call, n in calls.items() if call.endswith(f":{name}")) for name in names}


@pytest.fixture(scope="module")
def troubled(start_sandbox, tmp_path_factory) -> Troubled:
    sandbox = start_sandbox(groups=6, workers=18, seed=53, speed=600.0)
    return Troubled(sandbox, tmp_path_factory.mktemp("fix") / "repo")


def fixes(document) -> dict[str, str]:
    return {w["instance_id"]: w["action"] for g in document["groups"] for w in g["workers"]}


def test_a_dry_run_shows_the_plan_and_changes_nothing(troubled: Troubled):
    before = troubled.changes()
    done = troubled.run("reconcile", "--fix", "--dry-run", "--json")
    assert done.code == ExitCode.DRIFT, done.stderr
    assert (done.data["schema"], done.data["done"]) == ("deployctl.repair/1", False)
    assert fixes(done.data) == {
        **dict.fromkeys(troubled.outside, "redeploy"),
        troubled.edited: "retag",
        troubled.silent: "skip",
        troubled.failed: "skip",
    }
    assert troubled.changes() == before


def test_drift_of_other_categories_does_not_count(troubled: Troubled):
    for arguments in (("reconcile",), ("reconcile", "--fix", "--dry-run")):
        assert troubled.run(*arguments, "--group", FAILED, "--category", "stale").code == ExitCode.DONE


def test_without_a_terminal_the_plan_is_shown_with_the_command_to_type(troubled: Troubled):
    before = troubled.changes()
    done = troubled.run("reconcile", "--fix", "--group", EDITED)
    assert done.code == ExitCode.USAGE
    assert "tag 1 worker as v2" in done.stdout
    assert f"deployctl reconcile --fix --group {EDITED} --yes" in done.stderr
    asked = troubled.run("reconcile", "--fix", "--group", EDITED, "--json")
    assert (asked.code, fixes(asked.data)) == (ExitCode.USAGE, {troubled.edited: "retag"})
    assert "--yes" in asked.stderr
    assert troubled.changes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--replace",), "--replace needs --fix"),
        (("--replace",), "deployctl reconcile --fix --replace\n"),
        (("--timeout", "5m"), "deployctl reconcile --fix --timeout 5m\n"),
        (("--fix", "--category", "stael"), "reconcile --fix --category stale"),
        (("--fix", "--category", "current"), "workers in category current have not drifted"),
        (("--fix", "--watch"), "--fix and --watch cannot be combined"),
        (("--fix", "--csv"), "--fix and --csv cannot be combined"),
        (("--fix", "--stale-for", "30m"), "--stale-for cannot be combined with --fix"),
        (("--fix", "--limit", "3"), "--limit cannot be combined with --fix"),
    ],
)
def test_contradictory_options_are_refused(troubled: Troubled, arguments: tuple[str, ...], words: str):
    done = troubled.run("reconcile", *arguments)
    assert done.code == ExitCode.USAGE
    assert words in done.stderr


def test_workers_are_fixed_and_the_rest_is_reported_with_its_reason(troubled: Troubled):
    done = troubled.run("reconcile", "--fix", "--replace", "--yes", "--json")
    assert done.code == ExitCode.DRIFT, done.stderr
    results = {w["instance_id"]: w["result"] for g in done.data["groups"] for w in g["workers"]}
    assert results == {
        **dict.fromkeys(troubled.outside, "fixed"),
        troubled.edited: "fixed",
        troubled.silent: "replaced",
        troubled.failed: "skipped",
    }
    assert done.data["after"]["drifted"] == 1
    assert {r["kind"] for r in done.data["rounds"]} == {"repair"}
    assert troubled.silent not in troubled.workers_of(SILENT)
    assert len(troubled.workers_of(SILENT)) == 3
    found = troubled.run("reconcile", "--json").data
    assert [w["instance_id"] for w in found["workers"] if w["category"] != "current"] == [troubled.failed]


def test_after_the_repair_the_same_command_changes_nothing(troubled: Troubled):
    before = troubled.changes()
    done = troubled.run("reconcile", "--fix", "--replace", "--yes")
    assert done.code == ExitCode.DRIFT
    assert "--fix cannot fix the 1 drifted worker of shop" in done.stdout
    assert f"deployctl rollback --to v1 --group {FAILED}" in done.stdout
    assert troubled.changes() == before


def test_a_group_without_drift_is_done(troubled: Troubled):
    done = troubled.run("reconcile", "--fix", "--group", EDITED)
    assert done.code == ExitCode.DONE
    assert "nothing to fix" in done.stdout


def test_the_history_lists_a_repair_as_a_repair(troubled: Troubled):
    newest = troubled.run("history", "--limit", "1", "--json").data["releases"][0]
    assert (newest["kind"], newest["version"], newest["from"]) == ("repair", "v2", None)
    # What is desired is what was released: the repair takes nothing over.
    groups = {g["group"]: g for g in troubled.run("status", "--json").data["groups"]}
    assert (groups[OUTSIDE]["verdict"], groups[FAILED]["verdict"]) == ("verified", "failed")
    assert len({g["release_id"] for g in groups.values()}) == 1

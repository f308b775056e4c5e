"""`deployctl reconcile` for pipelines and spreadsheets: the workers it lists, the format, and the exit code."""

from __future__ import annotations

import csv
import io

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository


@pytest.fixture(scope="module")
def repository(start_sandbox, tmp_path_factory):
    """Three groups of three, one worker of which does not get v2, and one whose tag was edited."""
    sandbox = start_sandbox(groups=3, workers=9, seed=53, speed=600.0)
    repository = make_repository(tmp_path_factory.mktemp("reconcile") / "repo", sandbox.env)
    assert repository.deployctl("release", "v1", "--quiet").code == ExitCode.DONE
    repository.commit("another")
    workers = sandbox.control.workers()
    sandbox.control.inject("hook-fails", instance=workers[0]["instance_id"])
    assert repository.deployctl("release", "v2", "--quiet").code == ExitCode.FAILED
    sandbox.client("ec2").create_tags(
        Resources=[workers[-1]["instance_id"]], Tags=[{"Key": "deployctl:version", "Value": "=cmd()"}]
    )
    return repository


def test_csv_has_every_worker_and_no_formula(repository):
    done = repository.deployctl("reconcile", "--csv")
    assert done.code == ExitCode.DRIFT
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 9
    edited = next(r for r in rows if r["cause"] == "tag-edited")
    assert edited["deployed_version"] == "'=cmd()"


def test_a_category_is_listed_alone_and_decides_the_exit_code(repository):
    failed = repository.deployctl("reconcile", "--category", "failed", "--json")
    assert failed.code == ExitCode.DRIFT
    assert {w["category"] for w in failed.data["workers"]} == {"failed"}
    assert failed.data["summary"]["workers"] == 9
    assert repository.deployctl("reconcile", "--category", "current", "--json").code == ExitCode.DONE


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("failed", ExitCode.DRIFT),
        ("stale,ahead", ExitCode.DONE),
        ("ahead,unknown-version", ExitCode.DRIFT),
        ("current", ExitCode.DRIFT),
    ],
)
def test_a_pipeline_fails_only_on_the_categories_of_fail_on(repository, fail_on, code):
    assert repository.deployctl("reconcile", "--fail-on", fail_on).code == code


def test_stale_for_excludes_workers_behind_for_less(repository):
    done = repository.deployctl("reconcile", "--stale-for", "2h")
    assert done.code == ExitCode.DONE
    assert "no worker matches: behind for 2h00m or longer" in done.stdout


def test_limit_bounds_the_list(repository):
    done = repository.deployctl("reconcile", "--csv", "--sort", "instance", "--limit", "2")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 2
    assert rows[0]["instance_id"] < rows[1]["instance_id"]
    assert done.code == ExitCode.DRIFT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--category", "fialed"], "reconcile --category failed"),
        (["--fail-on", "failed,nonsense"], "'nonsense' is not one of"),
        (["--fail-on", "nonsense"], "use --fail-on wrong-group,failed,"),
        (["--sort", "agee"], "reconcile --sort age"),
        (["--stale-for", "soon"], "--stale-for"),
        (["--csv", "--watch"], "cannot be combined"),
        (["--csv", "--json"], "cannot be combined"),
    ],
)
def test_contradictory_options_are_a_usage_error(repository, arguments, words):
    done = repository.deployctl("reconcile", *arguments)
    assert done.code == ExitCode.USAGE
    assert words in done.stderr

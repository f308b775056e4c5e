"""`deployctl artifacts` as its users run it."""

from __future__ import annotations

import time

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import Repository, make_repository

GROUP = "mail-send"


@pytest.fixture(scope="module")
def published(start_sandbox, tmp_path_factory) -> Repository:
    """Five published versions; the first is deployed to one group outside deployctl."""
    sandbox = start_sandbox(groups=4, workers=12, seed=41, speed=600.0)
    repository = make_repository(tmp_path_factory.mktemp("artifacts") / "repo", sandbox.env)
    for number in range(1, 6):
        assert repository.deployctl("push", f"v{number}").code == 0
    codedeploy = sandbox.client("codedeploy")
    location = {
        "bucket": "deployctl-sandbox",
        "key": "artifacts/shop/v1/bundle.tar.gz",
        "bundleType": "tgz",
    }
    made = codedeploy.create_deployment(
        applicationName="shop",
        deploymentGroupName=GROUP,
        deploymentConfigName="CodeDeployDefault.AllAtOnce",
        revision={"revisionType": "S3", "s3Location": location},
    )
    deadline = time.monotonic() + 30
    while True:
        info = codedeploy.get_deployment(deploymentId=made["deploymentId"])["deploymentInfo"]
        if info["status"] == "Succeeded":
            return repository
        assert time.monotonic() < deadline, info
        time.sleep(0.1)


def listed(repository: Repository) -> dict[str, list[str]]:
    """Each version and why it must stay."""
    data = repository.deployctl("artifacts", "list", "--json").data
    return {a["version"]: [u["kind"] for u in a["in_use_by"]] for a in data["artifacts"]}


def test_list_shows_every_version_and_what_needs_it(published):
    assert listed(published) == {
        "v5": [],
        "v4": [],
        "v3": [],
        "v2": [],
        "v1": ["last successful", "running"],
    }
    done = published.deployctl("artifacts", "list")
    assert done.code == 0
    assert f"last successful in {GROUP}" in done.stdout


def test_a_dry_run_shows_the_removals_and_changes_nothing(published):
    done = published.deployctl("artifacts", "prune", "--keep", "2", "--dry-run")
    assert done.code == 0
    assert done.stdout.startswith("would remove 2 artifacts")
    assert len(listed(published)) == 5


def test_without_a_terminal_nothing_is_removed(published):
    done = published.deployctl("artifacts", "prune", "--keep", "2")
    assert done.code == ExitCode.USAGE
    assert "--yes" in done.stderr
    assert len(listed(published)) == 5


@pytest.mark.parametrize("keep", ["0", "-1", "many"])
def test_a_number_that_cannot_be_kept_is_refused(published, keep):
    assert published.deployctl("artifacts", "prune", "--keep", keep, "--yes").code == ExitCode.USAGE


def test_a_prune_removes_unused_versions_and_numbers_continue(published):
    done = published.deployctl("artifacts", "prune", "--keep", "2", "--yes", "--json")
    assert done.code == 0, done.stderr
    assert [a["version"] for a in done.data["removed"]] == ["v2", "v3"]
    assert set(listed(published)) == {"v5", "v4", "v1"}
    again = published.deployctl("artifacts", "prune", "--keep", "2", "--yes")
    assert (again.code, again.stdout.split(";")[0]) == (0, "nothing to remove")
    assert published.deployctl("push", "v2", "--json").data["sequence"] == 6


def test_a_pruned_version_cannot_be_released_and_the_error_shows_how_to_restore_it(published):
    done = published.deployctl("release", "v3", "--existing", "--dry-run")
    assert done.code == ExitCode.USAGE
    assert "deployctl push v3" in done.stderr

"""Every bad input: the name, the next command, the exit code, and nothing half done."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import Repository

APPSPEC = "appspec.yml"


def error_of(done, code):
    """The error that a command with --json ended with: the same words on stdout and stderr."""
    assert done.code == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    error = json.loads(done.stdout)
    assert error["schema"] == "deployctl.error/1"
    assert error["exit_code"] == code
    assert error["remedy"]
    assert error["message"] in done.stderr
    assert error["remedy"] in done.stderr
    return error


def release(repository, version="v1", *options, code=ExitCode.USAGE, **said):
    return error_of(repository.deployctl("release", version, "--json", *options, **said), code)


def objects(fleet, prefix):
    found = fleet.client("s3").list_objects_v2(Bucket="deployctl-sandbox", Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('aplication = "shop"\n', ["aplication", "application", "deployctl.toml"]),
        ("application = \n", ["deployctl.toml:1:"]),
        ('application = "shop"\nregion = "eu-west-1"\nworkgroup = "w"\n', ["bucket"]),
    ],
    ids=["misspelt key", "bad TOML", "no bucket"],
)
def test_a_configuration_error_is_reported_with_its_place(repository, text, names):
    repository.write("deployctl.toml", text)
    error = release(repository)
    said = json.dumps(error)
    assert all(name in said for name in names)


def test_without_a_configuration_the_error_offers_init(repository):
    (repository.folder / "deployctl.toml").unlink()
    assert "deployctl init" in release(repository)["remedy"]


@pytest.mark.parametrize("version", ["a/b", "a b", "a..b", "v" * 65, "-v1", "", "v1\n"])
def test_an_invalid_version_name_is_refused(repository, version):
    arguments = ("release", "--json", "--", version)
    error_of(repository.deployctl(*arguments), ExitCode.USAGE)


def test_an_unknown_ref_is_named(repository):
    assert release(repository, "v1", "--ref", "nope")["noun"] == "nope"


def test_an_empty_ref_is_refused_rather_than_head_released(repository):
    error = release(repository, "v1", "--ref", "")
    assert error["code"] == "ref-empty"
    assert repository.deployctl("build", "").code == ExitCode.USAGE


def test_head_is_not_released_under_a_tag_of_the_remote(repository, tmp_path):
    repository.git("tag", "v2")
    repository.commit("after the tag")
    clone = tmp_path / "clone"
    repository.git("clone", "-q", "--depth", "1", "--no-tags", f"file://{repository.folder}", str(clone))
    local = Repository(clone, repository.env)
    for arguments in (("v2",), ("v2", "--dry-run")):
        assert release(local, *arguments)["code"] == "tag-elsewhere"
    done = local.deployctl("release", "v3", "--dry-run", "--json")
    assert done.code == ExitCode.DONE, done.stderr
    head = local.git("rev-parse", "HEAD")
    assert f"building v3 from HEAD {head[:7]}; no tag v3 in this clone or at origin" in done.stderr
    artifact = done.data["artifact"]
    assert (artifact["commit"], artifact["ref"]) == (head, "HEAD")


def test_a_dirty_tree_is_refused_with_its_files(repository):
    repository.write("tasks.py", "changed\n")
    error = release(repository)
    assert error["code"] == "dirty-tree"
    assert "tasks.py" in json.dumps(error)


def test_a_version_name_of_another_commit_is_taken(repository, fleet):
    version = "v-taken"
    assert repository.deployctl("push", version).code == ExitCode.DONE
    before = objects(fleet, f"artifacts/shop/{version}/")
    repository.commit("another")
    error = release(repository, version)
    assert error["code"] == "version-taken"
    assert "--existing" in error["remedy"]
    assert objects(fleet, f"artifacts/shop/{version}/") == before


def _bom(text):
    return b"\xef\xbb\xbf" + text.encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r, text: (r.folder / APPSPEC).unlink(), "appspec.yml"),
        (lambda r, text: (r.folder / APPSPEC).rename(r.folder / "appspec.yaml"), "appspec.yml"),
        (lambda r, text: r.write(APPSPEC, _bom(text)), "byte-order mark"),
        (lambda r, text: r.write(APPSPEC, text.replace("version: 0.0", 'version: "0.0"')), "0.0"),
        (lambda r, text: r.write(APPSPEC, text.replace("timeout: ", "timeout: abc #", 1)), "abc"),
        (lambda r, text: r.write(APPSPEC, text.replace("validate_service.sh", "nope.sh")), "nope.sh"),
    ],
    ids=["missing", ".yaml", "BOM", "string version", "bad timeout", "hook file missing"],
)
def test_an_appspec_that_the_agent_would_reject_is_refused_before_the_upload(repository, fleet, change, said):
    change(repository, (repository.folder / APPSPEC).read_text())
    repository.commit()
    error = release(repository, "v-bad-appspec")
    assert said in json.dumps(error, ensure_ascii=False)
    assert objects(fleet, "artifacts/shop/v-bad-appspec/") == []


def test_a_hook_with_windows_line_ends_is_refused(repository):
    script = next(repository.folder.rglob("validate_service.sh"))
    script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))
    repository.git("config", "core.autocrlf", "false")
    repository.commit()
    assert "CR" in json.dumps(release(repository, "v-crlf"))


def test_a_missing_bucket_is_named(repository):
    env = {"DEPLOYCTL_BUCKET": "deployctl-nowhere"}
    error = release(repository, env=env)
    assert error["code"] == "bucket-missing"
    assert "deployctl-nowhere" in error["message"]


def test_a_bucket_in_another_region_is_reported_with_its_region(repository, fleet):
    s3 = fleet.client("s3", region="us-west-2")
    s3.create_bucket(
        Bucket="deployctl-elsewhere", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    error = release(repository, env={"DEPLOYCTL_BUCKET": "deployctl-elsewhere"})
    assert error["code"] == "bucket-elsewhere"
    assert "us-west-2" in json.dumps(error)


def test_without_credentials_the_error_shows_how_to_get_some(repository):
    no_credentials = {
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "HOME": str(repository.folder),
    }
    error = release(repository, code=ExitCode.ACCESS, env=no_credentials)
    assert error["code"] == "no-credentials"


def test_expired_credentials_during_a_release_show_how_to_resume(repository, fleet):
    fault = fleet.control.inject("expired-credentials", operation="codedeploy:BatchGetDeployments")
    try:
        error = release(repository, "v-expired", code=ExitCode.ACCESS)
    finally:
        fleet.control.clear([fault["fault_id"]])
    assert error["code"] == "credentials-expired"
    again = repository.deployctl("release", "v-expired", "--json")
    assert again.code == ExitCode.DONE
    marked = [e for e in fleet.control.events(kinds=["deployment-created"]) if e.get("creator") == "user"]
    ids = {g["deployment_id"] for g in again.data["groups"]}
    assert ids <= {e["deployment_id"] for e in marked}
    assert again.data["calls"].get("codedeploy:CreateDeployment", 0) == 0


def test_a_denied_action_is_named(repository, fleet):
    fault = fleet.control.inject("access-denied", operation="codedeploy:CreateDeployment")
    try:
        error = release(repository, "v-denied", code=ExitCode.ACCESS)
    finally:
        fleet.control.clear([fault["fault_id"]])
    assert "codedeploy:CreateDeployment" in error["message"]
    # What was left unfinished is finished by the same command.
    assert repository.deployctl("release", "v-denied").code == ExitCode.DONE


def test_no_group_matches(repository, fleet):
    error = release(repository, "v-no-group", "--group", "mail-sent")
    assert error["code"] == "no-group-matches"
    assert "mail-send" in error["remedy"]
    assert objects(fleet, "artifacts/shop/v-no-group/") == []


def test_an_unknown_application_is_answered_with_the_nearest_name(repository):
    assert "shop" in release(repository, env={"DEPLOYCTL_APPLICATION": "shops"})["remedy"]


def test_an_application_without_groups(repository, fleet):
    fleet.client("codedeploy").create_application(applicationName="bare", computePlatform="Server")
    error = release(repository, env={"DEPLOYCTL_APPLICATION": "bare"})
    assert error["code"] == "application-without-groups"


@pytest.fixture
def odd_application(fleet):
    """An application with one group without an Auto Scaling group, and one whose group is empty."""
    codedeploy, autoscaling = fleet.client("codedeploy"), fleet.client("autoscaling")
    role = codedeploy.get_deployment_group(applicationName="shop", deploymentGroupName="mail-send")[
        "deploymentGroupInfo"
    ]["serviceRoleArn"]
    template = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["shop-mail-send"])[
        "AutoScalingGroups"
    ][0]
    if "odd" not in codedeploy.list_applications()["applications"]:
        codedeploy.create_application(applicationName="odd", computePlatform="Server")
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="odd-empty",
            MinSize=0,
            MaxSize=5,
            DesiredCapacity=0,
            AvailabilityZones=template["AvailabilityZones"],
            MixedInstancesPolicy=template["MixedInstancesPolicy"],
        )
        codedeploy.create_deployment_group(
            applicationName="odd",
            deploymentGroupName="empty",
            serviceRoleArn=role,
            autoScalingGroups=["odd-empty"],
        )
        codedeploy.create_deployment_group(
            applicationName="odd", deploymentGroupName="homeless", serviceRoleArn=role
        )
    return {"DEPLOYCTL_APPLICATION": "odd"}


def test_a_group_without_an_auto_scaling_group(repository, fleet, odd_application):
    error = release(repository, "v-homeless", env=odd_application)
    assert error["code"] == "group-without-auto-scaling-group"
    assert error["noun"] == "homeless"
    assert objects(fleet, "artifacts/odd/v-homeless/") == []


def test_an_empty_group_gets_its_version_and_no_deployment(repository, odd_application):
    done = repository.deployctl("release", "v-empty", "--group", "empty", "--json", env=odd_application)
    assert done.code == ExitCode.DONE, done.stderr
    (group,) = done.data["groups"]
    assert (group["verdict"], group["deployment_id"], group["workers"]) == ("empty", None, [])


def test_without_a_sandbox_the_error_shows_how_to_start_one(repository, tmp_path):
    done = repository.deployctl("sandbox", "env", env={"XDG_STATE_HOME": str(tmp_path / "nothing")})
    assert done.code == ExitCode.FAILED
    assert done.stdout == ""
    assert "deployctl sandbox start" in done.stderr


def test_an_unreachable_service_is_named(repository):
    env = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    error = release(repository, code=ExitCode.FAILED, env=env)
    assert "127.0.0.1:9" in error["message"]


def test_a_port_that_is_taken_is_named(repository, fleet, tmp_path):
    port = fleet.endpoint.rsplit(":", 1)[1]
    env = {"XDG_STATE_HOME": str(tmp_path / "other")}
    done = repository.deployctl("sandbox", "start", "--port", port, env=env)
    assert done.code == ExitCode.USAGE
    assert port in done.stderr


def test_an_athena_query_that_fails_offers_the_other_engine(repository):
    done = repository.deployctl("reconcile", "--json", env={"DEPLOYCTL_DATABASE": "nowhere"})
    error = error_of(done, ExitCode.FAILED)
    assert "--engine duckdb" in error["remedy"]


def test_a_disk_that_is_full_leaves_nothing_behind(repository):
    repository.write("big.bin", random.Random(1).randbytes(4_000_000))
    repository.commit()
    limit = ["bash", "-c", 'ulimit -f 1024; trap "" XFSZ; exec "$@"', "bash"]
    done = subprocess.run(
        [
            *limit,
            sys.executable,
            "-m",
            "deployctl",
            "build",
            "--json",
            "--output",
            str(repository.folder / "out"),
        ],
        cwd=repository.folder,
        env=repository.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert json.loads(done.stdout)["code"] == "disk-full"
    assert not list((repository.folder / "out").glob("*"))


def test_a_closed_stdin_gives_a_usage_error_without_a_traceback(tmp_path):
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m deployctl reconcile <&-', sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("error: ")

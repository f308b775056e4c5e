"""The shipped hooks, really run: by their shebang, by sh and by bash, as the agent would."""

import json
import re
import sys
from pathlib import Path

import pytest

SCRIPTS = (
    "application_stop.sh",
    "before_install.sh",
    "after_install.sh",
    "application_start.sh",
    "validate_service.sh",
)
THROTTLED = "An error occurred (RequestLimitExceeded) when calling the CreateTags operation"


def output(done):
    """What the hook printed; fails where the agent would throw it away."""
    text = (done.stdout + done.stderr).decode("utf-8")
    assert all(len(line) < 2048 for line in text.splitlines())
    return text


def tags_of(call):
    return {tag["Key"]: tag["Value"] for tag in json.loads(call[call.index("--tags") + 1])}


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_hook_passes_on_a_healthy_worker(worker, script):
    done = worker.run(script)
    assert (done.returncode, done.stderr) == (0, b"")
    assert output(done)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_hook_passes_without_a_unit_to_restart_if_worker_env_says_so(worker, script):
    worker.set("UNIT", "")
    done = worker.run(script)
    assert done.returncode == 0, output(done)
    assert worker.calls_of("systemctl") == []


@pytest.mark.parametrize("script", ["application_start.sh", "validate_service.sh"])
def test_a_worker_without_the_named_unit_fails_and_is_not_tagged(worker, script):
    """Every event succeeded there once, while the process still ran the version before."""
    (worker.unit / "known").unlink()
    done = worker.run(script)
    assert done.returncode == 1
    assert "no unit shop.service here" in output(done)
    assert worker.calls_of("aws") == []


@pytest.mark.parametrize(("unit", "proof"), [("shop.service", "process v7"), ("", "files v7")])
def test_the_tags_say_what_was_proved(worker, unit, proof):
    worker.set("UNIT", unit)
    worker.run("validate_service.sh")
    assert tags_of(worker.calls_of("aws")[-1])["deployctl:proof"] == proof


def test_a_stop_that_fails_does_not_fail_the_deployment(worker):
    (worker.unit / "stop-fails").touch()
    done = worker.run("application_stop.sh")
    assert done.returncode == 0
    assert "could not stop shop.service (exit 1)" in output(done)


def test_a_full_disk_is_found_before_the_old_files_are_removed(worker):
    worker.fake("df", "printf 'Filesystem 1024-blocks Used Available\\n/dev/x 100 99 1 99%% /\\n'")
    worker.app.joinpath("REVISION").unlink()
    worker.app.rmdir()
    done = worker.run("before_install.sh")
    assert done.returncode == 1
    assert f"no room in {worker.app.parent}: 1 KB free" in output(done)


@pytest.mark.parametrize("script", ["after_install.sh", "validate_service.sh"])
@pytest.mark.parametrize("installed", ["application=shop\nversion=v6\ncommit=abb\n", None])
def test_other_files_than_the_bundles_fail(worker, script, installed):
    if installed is None:
        (worker.app / "REVISION").unlink()
    else:
        worker.install(installed)
    done = worker.run(script)
    assert done.returncode == 1
    assert "does not hold this revision" in output(done)
    assert worker.calls_of("aws") == []


def test_no_byte_code_of_the_revision_before_stays(worker):
    stale = worker.app / "lib" / "__pycache__" / "rate.cpython-311.pyc"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    (worker.app / "shipped.pyc").write_bytes(b"a module that has no source")
    assert worker.run("after_install.sh").returncode == 0
    assert not stale.parent.exists()
    assert (worker.app / "shipped.pyc").exists()


def test_start_replaces_a_process_that_survived_the_stop(worker):
    worker.run("application_start.sh")
    assert worker.calls_of("systemctl")[-1] == ["restart", "shop.service"]


def test_a_unit_that_does_not_start_fails_with_its_last_words(worker):
    (worker.unit / "restart-fails").touch()
    done = worker.run("application_start.sh")
    assert done.returncode == 1
    assert "shop.service" in output(done)
    assert output(done).endswith("could not start shop.service\n")


def test_a_worker_that_is_not_active_fails_and_is_not_tagged(worker):
    (worker.unit / "active").unlink()
    done = worker.run("validate_service.sh")
    assert done.returncode == 1
    assert "does not stay up" in output(done)
    assert worker.calls_of("aws") == []


def test_a_worker_that_keeps_restarting_fails_and_is_not_tagged(worker):
    (worker.unit / "flapping").touch()
    assert worker.run("validate_service.sh").returncode == 1
    assert worker.calls_of("aws") == []


def test_a_good_worker_is_tagged_last_with_what_it_runs(worker, metadata):
    done = worker.run("validate_service.sh")
    assert done.returncode == 0
    assert worker.calls[-1][0] == "aws"
    (call,) = worker.calls_of("aws")
    assert call[:6] == ["ec2", "create-tags", "--region", "eu-west-1", "--resources", "i-0abc"]
    tags = tags_of(call)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tags.pop("deployctl:deployed-at"))
    assert tags == {
        "deployctl:version": "v7",
        "deployctl:group": "video",
        "deployctl:proof": "process v7",
    }
    assert metadata.without_token == []


@pytest.mark.parametrize("group", ["a, b", 'with "quotes"', "back\\slash", "{a=b}", "ünïcödé", "it's"])
def test_a_groups_name_reaches_the_tag_unchanged(worker, group):
    assert worker.run("validate_service.sh", group=group).returncode == 0
    (call,) = worker.calls_of("aws")
    assert tags_of(call)["deployctl:group"] == group


def test_throttled_tagging_is_tried_again_after_a_random_pause(worker):
    worker.aws_fails(2, THROTTLED)
    done = worker.run("validate_service.sh")
    assert done.returncode == 0
    assert "tagged i-0abc" in output(done)
    assert len(worker.calls_of("aws")) == 3
    settle, first, second = (float(call[0]) for call in worker.calls_of("sleep"))
    assert settle == 5
    assert 0 <= first <= 2
    assert 0 <= second <= 4


def test_a_worker_that_cannot_tag_itself_passes_and_says_why(worker):
    worker.aws_fails(99, THROTTLED)
    done = worker.run("validate_service.sh")
    assert done.returncode == 0
    assert "not tagged, attempt 6: An error occurred (RequestLimitExceeded)" in output(done)
    assert len(worker.calls_of("aws")) == 6
    assert sum(float(call[0]) for call in worker.calls_of("sleep")) < 5 + 63


@pytest.mark.parametrize(
    "said",
    [
        "An error occurred (UnauthorizedOperation) when calling the CreateTags operation: no",
        "Unable to locate credentials. You can configure credentials by running aws configure",
    ],
)
def test_a_refusal_that_will_not_change_is_not_asked_again(worker, said):
    worker.aws_fails(99, said)
    done = worker.run("validate_service.sh")
    assert done.returncode == 0
    assert said in output(done)
    assert len(worker.calls_of("aws")) == 1


def test_a_worker_without_the_aws_program_passes_and_says_so(worker):
    (worker.root / "bin" / "aws").unlink()
    done = worker.run("validate_service.sh")
    assert done.returncode == 0
    assert "no program aws on this worker (127)" in output(done)


def test_a_worker_without_metadata_service_passes_and_says_so(worker):
    done = worker.run("validate_service.sh", AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0
    assert "no answer from the instance metadata service at http://127.0.0.1:9" in output(done)
    assert worker.calls_of("aws") == []


def test_a_proxy_in_the_environment_does_not_see_the_metadata_token(worker):
    proxy = "http://127.0.0.1:9"
    done = worker.run("validate_service.sh", http_proxy=proxy, HTTP_PROXY=proxy, ALL_PROXY=proxy)
    assert "tagged i-0abc" in output(done)


@pytest.mark.parametrize("worker", ["sh"], indirect=True)
def test_the_real_aws_program_makes_the_call(worker, metadata):
    (worker.root / "bin" / "aws").unlink()
    (worker.root / "bin" / "aws").symlink_to(Path(sys.executable).parent / "aws")
    done = worker.run(
        "validate_service.sh", group='a, "b"', AWS_ENDPOINT_URL_EC2=metadata.url, HOME=str(worker.root)
    )
    assert "tagged i-0abc" in output(done)
    (asked,) = metadata.tags
    assert asked["Action"] == ["CreateTags"]
    assert asked["ResourceId.1"] == ["i-0abc"]
    assert asked["Tag.1.Key"] + asked["Tag.1.Value"] == ["deployctl:version", "v7"]
    assert asked["Tag.2.Key"] + asked["Tag.2.Value"] == ["deployctl:group", 'a, "b"']
    assert asked["Tag.3.Key"] == ["deployctl:deployed-at"]

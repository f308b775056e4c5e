"""Output that cannot be written: one line, an honest exit code, and the verdict on the stream that works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployctl.errors import ExitCode

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def run(repository, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-m", "deployctl", *arguments],
        cwd=repository.folder,
        env=repository.env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def full():
    with FULL.open("w") as stream:
        yield stream


@pytest.mark.parametrize(
    "arguments",
    [
        ("reconcile", "--json"),
        ("reconcile",),
        ("reconcile", "--csv"),
        ("status", "--json"),
        ("history",),
        ("config", "show"),
        ("--help",),
        ("--version",),
        ("release", "v-plan", "--dry-run"),
    ],
    ids=" ".join,
)
def test_a_result_that_cannot_be_written_is_one_error_and_never_a_success(repository, full, arguments):
    done = run(repository, *arguments, stdout=full)
    assert done.returncode in (ExitCode.FAILED, ExitCode.DRIFT), done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "standard output: No space left on device" in done.stderr
    assert done.stderr.count("No space left") == 1


@pytest.mark.parametrize("options", [(), ("--json",), ("--json", "--quiet")], ids=" ".join)
def test_a_release_keeps_its_exit_code_and_shows_its_verdict_on_stderr(repository, full, options):
    done = run(repository, "release", f"v{len(options)}", *options, stdout=full)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert f"v{len(options)} verified" in done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [(), ("--json",)], ids=" ".join)
def test_a_release_whose_log_cannot_be_written_shows_its_verdict_on_stdout(repository, full, options):
    done = run(repository, "release", f"v-log{len(options)}", *options, stderr=full)
    assert done.returncode == ExitCode.DONE
    assert "verified" in done.stdout
    if options:
        assert json.loads(done.stdout)["verdict"] == "verified"


def test_an_error_that_cannot_be_written_to_stderr_goes_to_stdout(repository, full):
    done = run(repository, "release", "v-typo", "--group", "typo", stderr=full)
    assert done.returncode == ExitCode.USAGE
    assert "error: no deployment group" in done.stdout
    done = run(repository, "release", "v-typo", "--group", "typo", "--json", stderr=full)
    assert json.loads(done.stdout)["code"] == "no-group-matches"


def test_an_error_keeps_its_exit_code_where_both_streams_are_full(repository, full):
    assert run(repository, "release", "v-typo", "--group", "typo", stdout=full, stderr=full).returncode == 2


def test_a_pipe_that_does_not_block_gets_everything(repository):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", "config", "schema"],
        cwd=repository.folder,
        env=repository.env,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert json.loads(stream.read())
    assert process.wait(timeout=60) == ExitCode.DONE, process.stderr.read()
    process.stderr.close()

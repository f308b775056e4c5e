"""`deployctl report` as its users run it: into a file, into a pipe, and where there is nothing to report."""

from __future__ import annotations

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository


@pytest.fixture(scope="module")
def place(start_sandbox, tmp_path_factory):
    """A repository whose v2 has failed on one worker, before anybody has reconciled."""
    sandbox = start_sandbox(groups=3, workers=9, seed=77, speed=600.0)
    found = make_repository(tmp_path_factory.mktemp("report") / "repo", sandbox.env)
    assert found.deployctl("release", "v1").code == ExitCode.DONE
    bad = sandbox.control.workers()[0]["instance_id"]
    sandbox.control.inject("hook-fails", instance=bad, exit_code=3, message="no <b>database</b>")
    found.commit("another")
    assert found.deployctl("release", "v2").code == ExitCode.FAILED
    return found


@pytest.fixture(scope="module")
def seen(place):
    assert place.deployctl("athena", "setup").code == ExitCode.DONE
    assert place.deployctl("reconcile").code == ExitCode.DRIFT
    return place


def test_without_a_snapshot_the_report_shows_the_next_command(place):
    done = place.deployctl("report", "--html", "report.html")
    assert done.code == ExitCode.USAGE
    assert "the lake has no snapshot of shop of the last 7 days" in done.stderr
    assert "deployctl reconcile" in done.stderr
    assert not (place.folder / "report.html").exists()


def test_the_page_is_written_and_the_exit_code_is_0_despite_drift(seen):
    done = seen.deployctl("report", "--html", "report.html")
    assert (done.code, done.stdout) == (ExitCode.DONE, "")
    assert "wrote report.html" in done.stderr
    text = (seen.folder / "report.html").read_text(encoding="utf-8")
    assert "drifted, in" in text
    assert "no &lt;b&gt;database&lt;/b&gt;" in text
    assert "<b>database" not in text
    assert "Missing on this page" not in text


def test_stdout_gets_the_same_page_and_nothing_else(seen):
    done = seen.deployctl("report", "--html", "-", "--days", "2")
    assert done.code == ExitCode.DONE
    assert done.stdout.startswith("<!doctype html>\n<html lang=")
    assert done.stdout.endswith("</html>\n")
    assert done.stderr == ""


def test_quiet_prints_nothing(seen):
    done = seen.deployctl("report", "--html", "quiet.html", "--quiet")
    assert (done.code, done.stdout, done.stderr) == (ExitCode.DONE, "", "")


def test_duckdb_runs_the_query_if_the_configuration_selects_it(seen):
    done = seen.deployctl("report", "--html", "duck.html", env={"DEPLOYCTL_ENGINE": "duckdb"})
    assert done.code == ExitCode.DONE
    assert "evaluated by duckdb" in (seen.folder / "duck.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "--html"),
        (
            ("--html", "missing/report.html"),
            "cannot write the report to missing/report.html: no such file or directory",
        ),
        (("--html", "."), "is a directory"),
        (("--html", "x.html", "--days", "0"), "--days"),
        (("--html", "x.html", "--days", "week"), "--days"),
    ],
)
def test_an_error_shows_a_remedy(seen, arguments, why):
    done = seen.deployctl("report", *arguments)
    assert done.code == ExitCode.USAGE
    assert why in done.stderr
    assert "→" in done.stderr or ">" in done.stderr
    assert "Traceback" not in done.stderr

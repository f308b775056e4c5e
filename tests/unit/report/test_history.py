"""`deployctl history`: time, kind, versions and verdict of each release."""

import json
from dataclasses import replace

import pytest

from deployctl.model.release import ReleaseKind
from deployctl.model.release_record import History, ReleaseRecord, ReleaseSummary
from deployctl.model.verdict import Verdict
from deployctl.report.history import history_json, history_lines, versions
from deployctl.report.style import UNICODE


@pytest.fixture
def past(make):
    def made(
        number,
        version="v123",
        verdict=Verdict.VERIFIED,
        *,
        before=("v122",),
        kind=ReleaseKind.RELEASE,
        **more,
    ):
        groups = [replace(make.group_plan(f"g-{n}"), desired_before=b) for n, b in enumerate(before)]
        intent = make.plan(groups, version=version, kind=kind).intent
        record = ReleaseRecord(
            release_id=f"r-{number}",
            version=version,
            began_at=make.at(number * 3600),
            last_at=make.at(number * 3600 + 312),
            intent=intent,
            verdict=verdict,
            finished_at=make.at(number * 3600 + 312) if verdict else None,
        )
        return ReleaseSummary(release_id=f"r-{number}", record=record, **more)

    return made


def history(make, *releases, number=None):
    at = make.at(10 * 3600)
    return History(
        application="shop", at=at, releases=releases, number=len(releases) if number is None else number
    )


def lines_of(found, columns=120):
    return [line.plain for line in history_lines(found, columns=columns, glyphs=UNICODE)]


def test_each_release_has_a_line(make, past):
    found = history(
        make,
        past(3, "v122", before=["v123", "v123"], kind=ReleaseKind.ROLLBACK),
        past(2, "v123", Verdict.FAILED, before=["v122", "v122"]),
        past(1, "v122", before=[None]),
    )
    assert lines_of(found) == [
        "began                 release  version      verdict   groups   took  kind      by",
        "2026-11-22 15:00:00Z  r-3      v123 → v122  verified       2  5m12s  rollback  ci",
        "2026-11-22 14:00:00Z  r-2      v122 → v123  failed         2  5m12s  release   ci",
        "2026-11-22 13:00:00Z  r-1      v122         verified       1  5m12s  release   ci",
        "→ deployctl logs r-2   # what its failed workers printed",
    ]


def test_a_release_without_an_end_is_in_progress_or_unfinished(make, past):
    found = history(make, past(9, "v124", None, is_in_progress=True), past(8, "v123", None))
    lines = lines_of(found)
    assert "in progress" in lines[1]
    assert "1h00m" in lines[1]
    assert "unfinished" in lines[2]
    assert lines[-1] == "→ deployctl status"


def test_a_journal_that_cannot_be_read_keeps_its_line(make, past):
    lines = lines_of(
        history(make, ReleaseSummary(release_id="r-9", record=None, unreadable="entry 1"), past(1))
    )
    assert lines[1].split() == ["r-9", "unreadable"]


def test_older_releases_are_counted(make, past):
    assert lines_of(history(make, past(1), number=5_000))[2] == ("… 4,999 older releases")


def test_an_empty_history_names_the_first_command(make):
    assert lines_of(history(make)) == ["shop has no releases", "→ deployctl release VERSION"]


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (["v122", "v122", "v121"], "v122"),
        (["v122", "v121"], "mixed"),
        (["v122", "v121", "v120"], "mixed"),
        ([None, None, "v122"], None),
    ],
)
def test_the_previous_version_is_that_of_most_groups(past, before, shown):
    assert versions(past(1, before=before).record) == (shown, "v123")


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_a_narrow_terminal_keeps_time_version_and_verdict(make, past, columns):
    lines = lines_of(history(make, past(1, "v" + "1" * 30)), columns=columns)
    assert all(len(line) <= columns for line in lines[:2])
    assert "13:00:00Z" in lines[1]
    assert columns == 50 or "verified" in lines[1]


def test_the_json_has_the_same_content(make, past):
    found = history(
        make, past(2, "v123", None), ReleaseSummary(release_id="r-1", record=None, unreadable="x")
    )
    written = json.loads(json.dumps(history_json(found)))
    assert written["schema"] == "deployctl.history/1"
    assert written["releases"] == [
        {
            "release_id": "r-2",
            "state": "unfinished",
            "kind": "release",
            "version": "v123",
            "actor": "ci",
            "undoes": None,
            "verdict": None,
            "began_at": "2026-11-22T14:00:00Z",
            "finished_at": None,
            "from": "v122",
            "to": "v123",
            "groups": 1,
            "elapsed_s": None,
        },
        {"release_id": "r-1", "state": "unreadable", "unreadable": "x"},
    ]

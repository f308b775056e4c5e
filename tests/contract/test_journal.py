"""The Journal port: the same cases over the fake and over S3."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.aws.journal import S3Journal
from deployctl.aws.s3 import S3Bucket
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import JournalConflict
from deployctl.ports import Journal
from tests.fakes.storage import FakeJournal

RELEASE = ReleaseId("20260102T030405-abcd")


@pytest.fixture(params=["fake", "s3"])
def writers(request: pytest.FixtureRequest, application: ApplicationName) -> Callable[[], Journal]:
    """Opens the journal as another process would."""
    if request.param == "fake":
        shared = FakeJournal()
        return lambda: shared
    bucket: S3Bucket = request.getfixturevalue("bucket")
    return lambda: S3Journal(bucket, application)


def test_a_release_without_a_journal_has_no_entries(writers: Callable[[], Journal]):
    assert writers().entries(RELEASE) == []


def test_entries_come_back_in_the_order_of_their_numbers(writers: Callable[[], Journal]):
    journal = writers()
    for number in (10, 2, 1):
        journal.append(RELEASE, number, {"kind": "wave", "number": number, "groups": ["ü"]})
    assert [entry["number"] for entry in writers().entries(RELEASE)] == [1, 2, 10]
    assert writers().entries(RELEASE)[0] == {"kind": "wave", "number": 1, "groups": ["ü"]}


def test_only_the_entries_after_a_number_are_read(writers: Callable[[], Journal]):
    journal = writers()
    for number in range(1, 13):
        journal.append(RELEASE, number, {"number": number})
    assert [entry["number"] for entry in writers().entries(RELEASE, after=9)] == [10, 11, 12]
    assert writers().entries(RELEASE, after=12) == []


def test_the_ends_are_the_first_entry_and_the_last(writers: Callable[[], Journal]):
    journal = writers()
    assert journal.first_and_last(RELEASE) == []
    journal.append(RELEASE, 1, {"number": 1})
    assert writers().first_and_last(RELEASE) == [{"number": 1}]
    for number in range(2, 12):
        journal.append(RELEASE, number, {"number": number})
    assert writers().first_and_last(RELEASE) == [{"number": 1}, {"number": 11}]


def test_an_entry_is_written_once(writers: Callable[[], Journal]):
    writers().append(RELEASE, 1, {"by": "me"})
    with pytest.raises(JournalConflict) as raised:
        writers().append(RELEASE, 1, {"by": "you"})
    assert raised.value.exit_code == 5
    assert writers().entries(RELEASE) == [{"by": "me"}]


def test_an_equal_entry_of_another_process_is_not_ours(writers: Callable[[], Journal]):
    writers().append(RELEASE, 1, {"by": "me"})
    with pytest.raises(JournalConflict):
        writers().append(RELEASE, 1, {"by": "me"})


def test_a_release_keeps_apart_from_another(writers: Callable[[], Journal]):
    writers().append(RELEASE, 1, {"a": 1})
    writers().append(ReleaseId("20260102T030406-abcd"), 1, {"b": 2})
    assert writers().entries(RELEASE) == [{"a": 1}]


def test_releases_are_listed_newest_first(writers: Callable[[], FakeJournal | S3Journal]):
    for release in ("20260102T030405-b", "20260301T000000-a", "20251231T235959-c"):
        writers().append(ReleaseId(release), 1, {})
    assert writers().release_ids() == ["20260301T000000-a", "20260102T030405-b", "20251231T235959-c"]

"""Conditional writes whose answers are lost, and lists of many pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.aws import service_errors
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.s3 import PreconditionFailed, S3Bucket
from deployctl.aws.session import Aws
from tests.fakes.aws_server import RESET, Answer, AwsServer, Request, s3_error, xml_answer
from tests.fakes.clock import FakeClock

HERE = Answer(headers={"x-amz-bucket-region": "eu-west-1"})
PUT = Answer(headers={"ETag": '"new"'})
FAILED = s3_error("PreconditionFailed", status=412)
CONFLICT = s3_error("ConditionalRequestConflict", status=409)
JSON = "application/json"


def stored(body: bytes) -> Answer:
    return Answer(body=body, headers={"ETag": '"there"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"})


@pytest.fixture
def bucket(session: Callable[..., Aws]) -> S3Bucket:
    return S3Bucket(session(RetryPolicy()), "b")


def test_a_write_says_its_condition(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, PUT)
    assert bucket.put("k", b"{}", over=None) == "new"
    assert server.requests[1].headers["If-None-Match"] == "*"
    assert bucket.put("k", b"{}", over="old") == "new"
    assert server.requests[2].headers["If-Match"] == '"old"'


def test_a_repeated_request_recognizes_its_own_first_attempt(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, RESET, FAILED, stored(b"mine"))
    assert bucket.put("k", b"mine", over=None) == "there"


def test_a_repeated_request_that_meets_another_write_fails(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, RESET, FAILED, stored(b"theirs"))
    with pytest.raises(PreconditionFailed):
        bucket.put("k", b"mine", over=None)


def test_a_rejected_first_request_reads_nothing(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, FAILED, stored(b"mine"))
    with pytest.raises(PreconditionFailed):
        bucket.put("k", b"mine", over=None)
    assert len(server.requests) == 2


def test_a_conflict_with_a_write_in_progress_is_retried(
    bucket: S3Bucket, server: AwsServer, clock: FakeClock
):
    server.answers(HERE, CONFLICT, CONFLICT, PUT)
    assert bucket.put("k", b"mine", over=None) == "new"
    assert len(clock.slept_s) == 2


def test_a_conflict_without_end_is_a_failed_condition(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, CONFLICT)
    with pytest.raises(PreconditionFailed):
        bucket.put("k", b"mine", over=None)


def test_an_objects_age_is_by_the_servers_clock_alone(bucket: S3Bucket, server: AwsServer):
    # The server stamps its answers with this machine's time: the object is as old as that makes it.
    server.answers(HERE, stored(b""))
    found = bucket.get("k")
    assert found is not None
    assert found.age_s > 3600


def test_every_page_of_keys_is_read(bucket: S3Bucket, server: AwsServer):
    def page(request: Request) -> Answer:
        if request.method == "HEAD":
            return HERE
        last = "continuation-token" in request.path
        more = "" if last else "<NextContinuationToken>t</NextContinuationToken>"
        key = "p/2" if last else "p/1"
        return xml_answer(
            f"<ListBucketResult><IsTruncated>{str(not last).lower()}</IsTruncated>{more}"
            f"<Contents><Key>{key}</Key></Contents></ListBucketResult>"
        )

    server.answer_by = page
    assert bucket.keys("p/") == ["p/1", "p/2"]


def test_a_deletion_sends_its_condition_and_returns_whether_a_version_is_kept(
    bucket: S3Bucket, server: AwsServer
):
    server.answers(HERE, Answer(status=204), Answer(status=204, headers={"x-amz-delete-marker": "true"}))
    assert bucket.delete("k") is False
    assert "If-Match" not in server.requests[1].headers
    assert bucket.delete("k", etag="this") is True
    assert server.requests[2].headers["If-Match"] == '"this"'


def test_a_deletion_of_what_is_gone_has_nothing_to_do(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, RESET, s3_error("NoSuchKey", status=404))
    assert bucket.delete("k", etag="this") is False


def test_a_deletion_of_another_object_is_rejected(bucket: S3Bucket, server: AwsServer):
    server.answers(HERE, FAILED)
    with pytest.raises(PreconditionFailed):
        bucket.delete("k", etag="this")


def test_a_deletion_during_another_write_is_retried(bucket: S3Bucket, server: AwsServer, clock: FakeClock):
    server.answers(HERE, CONFLICT, Answer(status=204))
    assert bucket.delete("k", etag="this") is False
    assert len(clock.slept_s) == 1


def test_a_listing_has_ages_by_the_servers_clock(bucket: S3Bucket, server: AwsServer):
    item = (
        "<Contents><Key>p/1</Key><ETag>&quot;e1&quot;</ETag><Size>12</Size>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
    )
    server.answers(HERE, xml_answer(f"<ListBucketResult>{item}</ListBucketResult>"))
    (found,) = bucket.listing("p/")
    assert (found.key, found.etag, found.size_bytes) == ("p/1", "e1", 12)
    assert found.age_s > 3600


def test_a_bucket_that_may_not_be_looked_at_is_still_known_by_its_region(bucket: S3Bucket, server: AwsServer):
    server.answers(Answer(status=403, headers={"x-amz-bucket-region": "eu-west-1"}), PUT)
    assert bucket.put("k", b"", over=None) == "new"


def test_a_bucket_in_another_region_is_named_even_without_permission(bucket: S3Bucket, server: AwsServer):
    server.answers(Answer(status=403, headers={"x-amz-bucket-region": "us-east-1"}))
    with pytest.raises(service_errors.BucketElsewhere) as raised:
        bucket.get("k")
    assert raised.value.region == "us-east-1"


def test_a_bucket_without_permission_is_denied(bucket: S3Bucket, server: AwsServer):
    server.answers(Answer(status=403))
    with pytest.raises(service_errors.AccessDenied) as raised:
        bucket.get("k")
    assert raised.value.action == "s3:ListBucket"

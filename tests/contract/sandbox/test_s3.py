"""S3's checks: digests, preconditions, regions, signatures."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "deployctl-sandbox"


def refusal(call):
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def key(request, s3):
    return f"test/{request.node.name}"


def put_raw(sandbox, key, body, headers, *, bucket=BUCKET):
    """A PUT with these headers as they are, signed; (status, body)."""
    request = AWSRequest("PUT", f"{sandbox.endpoint}/{bucket}/{key}", data=body, headers=headers)
    SigV4Auth(sandbox.session().get_credentials(), "s3", "eu-west-1").add_auth(request)
    sent = urllib.request.Request(
        request.url, data=body, headers={**dict(request.headers), **headers}, method="PUT"
    )
    try:
        with urllib.request.urlopen(sent) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_an_object_comes_back_with_its_dates(s3, key):
    put = s3.put_object(Bucket=BUCKET, Key=key, Body=b"value")
    got = s3.get_object(Bucket=BUCKET, Key=key)
    assert got["Body"].read() == b"value"
    assert got["ETag"] == put["ETag"]
    assert abs((datetime.now(UTC) - got["LastModified"]).total_seconds()) < 5
    date = parsedate_to_datetime(got["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs((datetime.now(UTC) - date).total_seconds()) < 5


def test_an_object_is_deleted_only_if_its_etag_matches(s3, key):
    etag = s3.put_object(Bucket=BUCKET, Key=key, Body=b"value")["ETag"]
    there = {"Bucket": BUCKET, "Key": key}
    assert refusal(lambda: s3.delete_object(**there, IfMatch='"another"')) == ("PreconditionFailed", 412)
    assert "DeleteMarker" not in s3.delete_object(**there, IfMatch=etag)
    assert refusal(lambda: s3.delete_object(**there, IfMatch=etag)) == ("NoSuchKey", 404)
    s3.delete_object(**there)


def test_an_object_is_written_once_with_if_none_match(s3, key):
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", IfNoneMatch="*")
    again = refusal(lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"2", IfNoneMatch="*"))
    assert again == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"1"


def test_if_match_compares_and_swaps(s3, key):
    absent = refusal(lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"0", IfMatch='"abc"'))
    assert absent == ("NoSuchKey", 404)
    etag = s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")["ETag"]
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"2", IfMatch=etag)
    stale = refusal(lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"3", IfMatch=etag))
    assert stale == ("PreconditionFailed", 412)


def multipart(s3, key):
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return {"Bucket": BUCKET, "Key": key, "UploadId": upload, "MultipartUpload": parts}


def test_a_multipart_upload_is_finished_under_the_same_conditions(s3, key):
    missing = refusal(lambda: s3.complete_multipart_upload(**multipart(s3, key), IfMatch='"abc"'))
    assert missing == ("NoSuchKey", 404)
    etag = s3.complete_multipart_upload(**multipart(s3, key), IfNoneMatch="*")["ETag"]
    taken = refusal(lambda: s3.complete_multipart_upload(**multipart(s3, key), IfNoneMatch="*"))
    assert taken == ("PreconditionFailed", 412)
    s3.complete_multipart_upload(**multipart(s3, key), IfMatch=etag)


@pytest.mark.parametrize("given", [{"IfNoneMatch": '"abc"'}, {"IfNoneMatch": "*", "IfMatch": "abc"}])
def test_conditions_that_s3_lacks_are_refused_as_not_implemented(s3, key, given):
    assert refusal(lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", **given)) == (
        "NotImplemented",
        501,
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ContentMD5": base64.b64encode(b"0" * 16).decode()}, "BadDigest"),
        ({"ContentMD5": "short"}, "InvalidDigest"),
        ({"ChecksumSHA256": base64.b64encode(b"0" * 32).decode()}, "BadDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumSHA1": base64.b64encode(b"0" * 20).decode()}, "BadDigest"),
    ],
)
def test_a_wrong_digest_is_refused_and_nothing_is_written(s3, key, given, code):
    assert refusal(lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", **given)) == (code, 400)
    assert refusal(lambda: s3.head_object(Bucket=BUCKET, Key=key)) == ("404", 404)


def test_a_body_that_is_not_the_one_signed_is_refused(sandbox, key):
    status, body = put_raw(sandbox, key, b"1", {"x-amz-content-sha256": hashlib.sha256(b"2").hexdigest()})
    assert status == 400
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in body


@pytest.mark.parametrize(("crc", "status"), [(zlib.crc32(b"abcde"), 200), (1, 400)])
def test_a_checksum_in_the_trailer_is_verified(sandbox, s3, key, crc, status):
    trailer = base64.b64encode(crc.to_bytes(4, "big")).decode()
    body = f"5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n".encode()
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "content-encoding": "aws-chunked",
        "content-type": "application/octet-stream",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    assert put_raw(sandbox, key, body, headers)[0] == status
    if status == 200:
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"abcde"


def test_the_checksum_of_an_object_is_kept(s3, key):
    value = base64.b64encode(hashlib.sha256(b"1").digest()).decode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", ChecksumSHA256=value)
    assert s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")["ChecksumSHA256"] == value


def test_a_bucket_in_another_region_redirects_the_client(sandbox, s3):
    elsewhere = sandbox.client("s3", region="us-west-2")
    elsewhere.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    status, body = put_raw(sandbox, "k", b"1", {}, bucket="far-away")
    assert status == 301
    assert b"<Code>PermanentRedirect</Code>" in body
    # boto3 follows the redirect by itself, as it does on AWS.
    s3.put_object(Bucket="far-away", Key="k", Body=b"1")
    assert elsewhere.get_object(Bucket="far-away", Key="k")["Body"].read() == b"1"


def test_a_bucket_that_is_not_there(s3):
    assert refusal(lambda: s3.head_bucket(Bucket="no-such-bucket-here")) == ("404", 404)
    assert refusal(lambda: s3.list_objects_v2(Bucket="no-such-bucket-here")) == ("NoSuchBucket", 404)


def test_an_unsigned_request_is_refused(sandbox):
    anonymous = sandbox.session().client(
        "s3",
        endpoint_url=sandbox.endpoint,
        config=Config(signature_version=UNSIGNED),
    )
    assert refusal(lambda: anonymous.list_objects_v2(Bucket=BUCKET)) == ("AccessDenied", 403)


@pytest.mark.parametrize("signature", [None, "s3", "s3v4"])
def test_a_presigned_url_works_until_it_expires(sandbox, s3, key, signature):
    signer = sandbox.client("s3", signature_version=signature)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"value")
    named = {"Params": {"Bucket": BUCKET, "Key": key}}
    with urllib.request.urlopen(signer.generate_presigned_url("get_object", **named)) as response:
        assert response.read() == b"value"
    upload = urllib.request.Request(
        signer.generate_presigned_url("put_object", **named), data=b"uploaded", method="PUT"
    )
    upload.add_header("Content-Type", "")
    urllib.request.urlopen(upload).close()
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"uploaded"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(signer.generate_presigned_url("get_object", **named, ExpiresIn=-1))
    with caught.value as refused:
        assert refused.code == 403
        assert b"<Message>Request has expired</Message>" in refused.read()


def test_a_url_of_aws_s3_presign_works(sandbox, s3, key):
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"value")
    presign = [sys.executable, "-m", "awscli", "s3", "presign", f"s3://{BUCKET}/{key}"]
    url = subprocess.run(presign, env=sandbox.env, capture_output=True, text=True, check=True).stdout.strip()
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"value"

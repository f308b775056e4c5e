"""The proxy forwards everything unchanged and kills only its victim."""

from __future__ import annotations

import http.client
import random
import signal
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from deployctl.sandbox.constants import BUCKET
from tests.fakes.fault_proxy import Kill, Moment, killing_proxy


@pytest.fixture
def proxy(sandbox):
    with killing_proxy(sandbox.endpoint) as proxy:
        yield proxy


@pytest.fixture
def s3(proxy):
    session = boto3.Session(
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name="eu-west-1"
    )
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return session.client("s3", endpoint_url=proxy.url, config=once)


@pytest.fixture
def victim():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_a_large_body_passes_both_ways(proxy, s3):
    body = random.Random(1).randbytes(9_000_000)
    s3.put_object(Bucket=BUCKET, Key="through/large", Body=body, ChecksumAlgorithm="SHA256")
    assert s3.get_object(Bucket=BUCKET, Key="through/large")["Body"].read() == body
    assert s3.head_object(Bucket=BUCKET, Key="through/large")["ContentLength"] == len(body)
    assert proxy.asked == ["PUT through/large", "GET through/large", "HEAD through/large"]


def test_a_body_in_chunks_arrives_whole(proxy, s3):
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc)
    credential = "Credential=sandbox/20260101/eu-west-1/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {credential}"}
    with closing(connection):
        for key in ("through/chunks-1", "through/chunks-2"):  # one connection for both
            connection.request(
                "PUT", f"/{BUCKET}/{key}", iter([b"one ", b"two"]), headers, encode_chunked=True
            )
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"one two"


@pytest.mark.parametrize("moment", list(Moment))
def test_the_process_dies_at_the_moment_that_was_asked_for(sandbox, proxy, s3, victim, moment):
    key = f"through/{moment}"
    proxy.arm(Kill(number=2, moment=moment))
    proxy.aim(victim.pid)
    s3.head_bucket(Bucket=BUCKET)
    assert victim.poll() is None
    if moment is Moment.ANSWERED:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    else:
        with pytest.raises(ConnectionClosedError):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert victim.wait(10) == -signal.SIGKILL
    assert proxy.killed == f"PUT {key}"
    assert sandbox.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] == (
        moment is not Moment.BEFORE
    )
    with pytest.raises(ConnectionClosedError):
        s3.head_bucket(Bucket=BUCKET)

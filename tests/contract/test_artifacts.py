"""The Artifacts port: the same cases over the fake and over S3, and what only S3 can meet."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from deployctl.aws.artifacts import S3Artifacts
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.upload import BundleChanged, PartSizes
from deployctl.errors import Busy, UsageError
from deployctl.model.artifact import LeftoverKind, bundle_key, manifest_key
from deployctl.model.names import ApplicationName, Version
from deployctl.model.port_errors import ArtifactDamaged, PublishInProgress, RecordUnreadable, VersionTaken
from deployctl.ports import Artifacts
from tests.contract.bundles import Bundle, checksum

V1, V2 = Version("v1"), Version("v2")


def test_a_version_that_was_never_published_is_not_found(artifacts: Artifacts, application: ApplicationName):
    assert artifacts.find(application, V1) is None


def test_what_was_published_is_found(artifacts: Artifacts, bundle: Bundle):
    manifest, path = bundle()
    published = artifacts.publish(manifest, path)
    assert published.manifest == replace(manifest, sequence=1)
    assert published.key == bundle_key(manifest.application, V1)
    assert artifacts.find(manifest.application, V1) == published


def test_versions_are_numbered_in_the_order_of_their_publication(artifacts: Artifacts, bundle: Bundle):
    numbers = [
        artifacts.publish(*bundle(Version(name), name.encode())).manifest.sequence
        for name in ("v9", "v10", "a")
    ]
    assert numbers == sorted(set(numbers))


def test_publishing_the_same_bundle_again_changes_nothing(artifacts: Artifacts, bundle: Bundle):
    first = artifacts.publish(*bundle())
    assert artifacts.publish(*bundle()) == first


def test_a_version_is_never_given_another_bundle(artifacts: Artifacts, bundle: Bundle):
    first = artifacts.publish(*bundle())
    with pytest.raises(VersionTaken) as raised:
        artifacts.publish(*bundle(body=b"other"))
    assert isinstance(raised.value, UsageError)
    assert "c0ffee" in raised.value.message
    assert "someone" in raised.value.message
    assert "--existing" in (raised.value.remedy or "")
    assert artifacts.find(first.manifest.application, V1) == first


def test_sequences_exist_only_for_versions_with_an_artifact(
    artifacts: Artifacts, bundle: Bundle, application
):
    artifacts.publish(*bundle(V1))
    second = artifacts.publish(*bundle(V2, b"two"))
    asked = [V1, V2, Version("v3"), Version("../../v1"), Version(""), V2]
    found = artifacts.sequences(application, asked)
    assert found == {**dict.fromkeys(asked), V1: 1, V2: second.manifest.sequence}


class TestOnS3:
    """What only S3 can meet."""

    @pytest.fixture
    def artifacts(self, bucket: S3Bucket) -> S3Artifacts:
        return S3Artifacts(bucket)

    def test_a_second_publication_uploads_nothing(self, artifacts, bundle: Bundle, bucket: S3Bucket):
        artifacts.publish(*bundle())
        before = bucket.aws.calls.snapshot()
        artifacts.publish(*bundle())
        after = bucket.aws.calls.snapshot()
        assert after["s3:PutObject"] == before["s3:PutObject"]
        assert after["s3:GetObject"] == before["s3:GetObject"] + 1

    def test_a_bundle_without_a_manifest_is_completed(self, artifacts, bundle: Bundle, bucket: S3Bucket):
        manifest, path = bundle()
        first = artifacts.publish(manifest, path)
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=manifest_key(manifest.application, V1))
        assert artifacts.find(manifest.application, V1) is None
        again = artifacts.publish(manifest, path)
        assert again.etag == first.etag
        assert again.manifest.sequence > first.manifest.sequence

    def test_the_same_digest_packed_otherwise_describes_what_lies_there(
        self, artifacts, bundle: Bundle, bucket
    ):
        first = artifacts.publish(*bundle(body=b"packed one way", digest="d1"))
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=manifest_key(first.manifest.application, V1))
        again = artifacts.publish(*bundle(body=b"packed in another way", digest="d1"))
        assert again.manifest.checksum_sha256 == checksum(b"packed one way")
        assert again.manifest.size_bytes == len(b"packed one way")

    def test_a_fresh_bundle_of_another_digest_is_not_replaced(self, artifacts, bundle: Bundle, bucket):
        first = artifacts.publish(*bundle(body=b"theirs"))
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=manifest_key(first.manifest.application, V1))
        with pytest.raises(PublishInProgress):
            artifacts.publish(*bundle(body=b"ours"))
        assert bucket.get(first.key).body == b"theirs"

    def test_an_abandoned_bundle_of_another_digest_is_replaced(self, bundle: Bundle, bucket: S3Bucket):
        artifacts = S3Artifacts(bucket, abandoned_after_s=0)
        first = artifacts.publish(*bundle(body=b"theirs"))
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=manifest_key(first.manifest.application, V1))
        ours = artifacts.publish(*bundle(body=b"ours"))
        assert bucket.get(ours.key).body == b"ours"
        assert artifacts.find(ours.manifest.application, V1) == ours

    def test_one_of_many_publishers_wins(self, artifacts, bundle: Bundle, bucket: S3Bucket, application):
        prepared = [bundle(body=f"body {number}".encode()) for number in range(6)]

        def publish(what):
            try:
                return artifacts.publish(*what).manifest.digest
            except (VersionTaken, Busy):
                return None

        with ThreadPoolExecutor(6) as pool:
            winners = {digest for digest in pool.map(publish, prepared) if digest}
        found = artifacts.find(application, V1)
        assert winners == {found.manifest.digest}
        assert checksum(bucket.get(found.key).body) == found.manifest.checksum_sha256

    def test_versions_published_at_once_get_different_numbers(self, artifacts, bundle: Bundle):
        prepared = [bundle(Version(f"v{n}"), f"body {n}".encode()) for n in range(6)]
        with ThreadPoolExecutor(6) as pool:
            numbers = list(pool.map(lambda what: artifacts.publish(*what).manifest.sequence, prepared))
        assert len(set(numbers)) == 6

    def test_a_large_bundle_goes_in_parts(self, bundle: Bundle, bucket: S3Bucket):
        mb = 1024 * 1024
        artifacts = S3Artifacts(bucket, PartSizes(single_up_to_bytes=mb, part_bytes=5 * mb))
        body = os.urandom(12 * mb)
        published = artifacts.publish(*bundle(body=body))
        assert bucket.get(published.key).body == body
        assert bucket.aws.calls.snapshot()["s3:UploadPart"] == 3
        with pytest.raises(VersionTaken):
            artifacts.publish(*bundle(body=os.urandom(12 * mb)))

    @pytest.mark.parametrize("single_up_to_bytes", [0, 1024])
    def test_a_bundle_that_changed_before_the_upload_is_not_stored(
        self, bundle: Bundle, bucket, single_up_to_bytes
    ):
        artifacts = S3Artifacts(bucket, PartSizes(single_up_to_bytes=single_up_to_bytes))
        manifest, path = bundle()
        path.write_bytes(b"changed")
        with pytest.raises(BundleChanged):
            artifacts.publish(manifest, path)
        assert bucket.keys(f"artifacts/{manifest.application}/") == []
        uploads = bucket.aws.s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads", [])
        assert [u for u in uploads if manifest.application in u["Key"]] == []

    @pytest.mark.parametrize("harm", ["delete", "overwrite"])
    def test_a_bundle_that_is_not_the_published_one_is_reported(
        self, artifacts, bundle: Bundle, bucket, harm
    ):
        published = artifacts.publish(*bundle())
        if harm == "delete":
            bucket.aws.s3.delete_object(Bucket=bucket.name, Key=published.key)
        else:
            bucket.aws.s3.put_object(Bucket=bucket.name, Key=published.key, Body=b"harm")
        with pytest.raises(ArtifactDamaged):
            artifacts.find(published.manifest.application, V1)

    def test_known_sequences_are_requested_once(self, artifacts, bundle: Bundle, bucket, application):
        artifacts.publish(*bundle())
        before = bucket.aws.calls.snapshot()["s3:GetObject"]
        for _ in range(3):
            artifacts.sequences(application, [V1] * 100)
        assert bucket.aws.calls.snapshot()["s3:GetObject"] == before + 1


def test_a_manifest_of_another_version_is_not_believed(bucket: S3Bucket, bundle: Bundle):
    """Asked for v2, a release would deploy v1."""
    artifacts = S3Artifacts(bucket)
    manifest = artifacts.publish(*bundle()).manifest
    first = bucket.get(manifest_key(manifest.application, V1))
    assert first is not None
    bucket.put(manifest_key(manifest.application, V2), first.body, over=None)
    with pytest.raises(RecordUnreadable, match=f"the manifest of {manifest.application} v1, not of"):
        artifacts.find(manifest.application, V2)
    assert artifacts.sequences(manifest.application, [V1, V2]) == {V1: 1, V2: None}


def test_a_manifest_that_cannot_be_read_hides_no_other_version(bucket: S3Bucket, bundle: Bundle):
    artifacts = S3Artifacts(bucket)
    application = artifacts.publish(*bundle(V1, b"one")).manifest.application
    artifacts.publish(*bundle(V2, b"two"))
    bucket.write(manifest_key(application, V1), b"not JSON", content_type="application/json")
    assert [a.manifest.version for a in artifacts.published(application)] == [V2]
    (left,) = artifacts.leftovers(application)
    assert (left.version, left.kind, left.size_bytes) == (V1, LeftoverKind.UNREADABLE, len(b"one"))

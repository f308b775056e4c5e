"""Removing artifacts: the same cases over the fake and over S3, and what only S3 can meet."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from deployctl.aws.artifacts import S3Artifacts
from deployctl.aws.manifests import Manifests
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.service_errors import AccessDenied
from deployctl.errors import Busy
from deployctl.model.artifact import Artifact, LeftoverKind, bundle_key, manifest_key
from deployctl.model.names import Version
from deployctl.model.port_errors import ArtifactDamaged, RemovalInProgress
from deployctl.ports import Artifacts
from deployctl.sandbox.constants import REGION
from tests.contract.bundles import Bundle

V1, V2, V3 = Version("v1"), Version("v2"), Version("v3")


def versions(found: list[Artifact]) -> list[str]:
    return [a.manifest.version for a in found]


def test_an_application_without_artifacts_has_none_to_list(artifacts: Artifacts, application):
    assert artifacts.published(application) == []
    assert artifacts.leftovers(application) == []


def test_what_is_published_is_listed_the_newest_first(artifacts: Artifacts, bundle: Bundle, application):
    for version in (V2, V1, V3):
        artifacts.publish(*bundle(version, version.encode()))
    found = artifacts.published(application)
    assert versions(found) == [V3, V1, V2]
    assert found == [artifacts.find(application, v) for v in (V3, V1, V2)]


def test_a_removed_artifact_is_not_found_and_not_listed(artifacts: Artifacts, bundle: Bundle, application):
    first = artifacts.publish(*bundle(V1, b"one"))
    second = artifacts.publish(*bundle(V2, b"two"))
    artifacts.remove(first)
    assert artifacts.find(application, V1) is None
    assert artifacts.published(application) == [second]
    assert artifacts.sequences(application, [V1, V2]) == {V1: None, V2: second.manifest.sequence}
    assert artifacts.leftovers(application) == []


def test_removing_an_artifact_twice_does_nothing(artifacts: Artifacts, bundle: Bundle, application):
    first = artifacts.publish(*bundle())
    artifacts.remove(first)
    artifacts.remove(first)
    assert artifacts.published(application) == []


def test_a_sequence_number_is_never_reused(artifacts: Artifacts, bundle: Bundle):
    made = [artifacts.publish(*bundle(v, v.encode())) for v in (V1, V2, V3)]
    assert [a.manifest.sequence for a in made] == [1, 2, 3]
    for artifact in made:
        artifacts.remove(artifact)
    assert artifacts.publish(*bundle(Version("v4"), b"four")).manifest.sequence == 4
    assert artifacts.publish(*bundle(V3, b"v3")).manifest.sequence == 5


def test_the_version_of_a_removed_artifact_can_be_published_again(artifacts: Artifacts, bundle: Bundle):
    artifacts.remove(artifacts.publish(*bundle(body=b"old")))
    again = artifacts.publish(*bundle(body=b"new"))
    assert artifacts.find(again.manifest.application, V1) == again


def test_an_artifact_that_took_a_removed_ones_version_stays(artifacts: Artifacts, bundle: Bundle):
    first = artifacts.publish(*bundle())
    artifacts.remove(first)
    second = artifacts.publish(*bundle())
    artifacts.remove(first)
    assert artifacts.find(first.manifest.application, V1) == second


class Meanwhile(S3Bucket):
    """A bucket in which `happens` takes place once, just before this key is written."""

    def __init__(self, bucket: S3Bucket, key: str) -> None:
        super().__init__(bucket.aws, bucket.name)
        self._key = key
        self.happens = lambda: None

    def put(self, key: str, body: bytes, *, over: str | None) -> str:
        if key == self._key:
            happens, self.happens = self.happens, lambda: None
            happens()
        return super().put(key, body, over=over)


class TestOnS3:
    """What only S3 can meet."""

    @pytest.fixture
    def artifacts(self, bucket: S3Bucket) -> S3Artifacts:
        return S3Artifacts(bucket)

    @pytest.fixture
    def killed(self, artifacts, bundle: Bundle, bucket: S3Bucket, application) -> Artifact:
        """An artifact whose removal was killed after its first step."""
        published = artifacts.publish(*bundle())
        manifests = Manifests(bucket)
        there = manifests.read_entry(application, V1)
        assert there is not None
        manifests.note_removal(application, V1, over=there.etag)
        return published

    def test_a_removal_deletes_every_object(self, artifacts, bundle: Bundle, bucket: S3Bucket, application):
        artifacts.remove(artifacts.publish(*bundle()))
        assert bucket.keys(f"artifacts/{application}/") == [f"artifacts/{application}/sequence.json"]

    def test_a_half_removed_artifact_is_not_published(self, artifacts, killed, application):
        assert artifacts.find(application, V1) is None
        assert artifacts.published(application) == []
        (left,) = artifacts.leftovers(application)
        assert (left.version, left.kind) == (V1, LeftoverKind.HALF_REMOVED)
        assert left.size_bytes == len(b"bundle")

    def test_a_removal_that_was_killed_is_finished_by_the_next(self, artifacts, killed, bucket, application):
        for left in artifacts.leftovers(application):
            artifacts.discard(left)
        assert artifacts.leftovers(application) == []
        assert bucket.head(killed.key) is None

    def test_a_version_cannot_be_published_during_its_removal(self, artifacts, killed, bundle: Bundle):
        with pytest.raises(RemovalInProgress):
            artifacts.publish(*bundle())

    def test_an_abandoned_removal_is_overwritten_by_a_publication(
        self, killed, bundle: Bundle, bucket, application
    ):
        artifacts = S3Artifacts(bucket, abandoned_after_s=0)
        again = artifacts.publish(*bundle())
        assert artifacts.find(application, V1) == again
        assert again.manifest.sequence > killed.manifest.sequence

    def test_a_bundle_whose_publication_was_killed_is_discarded(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        published = artifacts.publish(*bundle())
        bucket.delete(manifest_key(application, V1))
        (left,) = artifacts.leftovers(application)
        assert (left.version, left.kind) == (V1, LeftoverKind.UNPUBLISHED)
        artifacts.discard(left)
        assert bucket.head(published.key) is None
        assert artifacts.leftovers(application) == []

    def test_what_was_published_since_it_was_listed_is_not_discarded(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        artifacts.publish(*bundle())
        bucket.delete(manifest_key(application, V1))
        (left,) = artifacts.leftovers(application)
        published = artifacts.publish(*bundle())
        artifacts.discard(left)
        assert artifacts.find(application, V1) == published

    def test_a_bundle_deleted_during_its_publication_is_uploaded_again(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        artifacts.publish(*bundle())
        bucket.delete(manifest_key(application, V1))
        (left,) = artifacts.leftovers(application)
        meanwhile = Meanwhile(bucket, manifest_key(application, V1))
        meanwhile.happens = lambda: artifacts.discard(left)
        published = S3Artifacts(meanwhile).publish(*bundle())
        assert artifacts.find(application, V1) == published

    def test_a_publisher_that_meets_a_removal_in_progress_fails(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        meanwhile = Meanwhile(bucket, manifest_key(application, V1))
        meanwhile.happens = lambda: Manifests(bucket).note_removal(application, V1, over=None)
        with pytest.raises(RemovalInProgress):
            S3Artifacts(meanwhile).publish(*bundle())

    def test_without_delete_permission_the_artifact_stays_published(
        self, artifacts, bundle: Bundle, sandbox, application
    ):
        published = artifacts.publish(*bundle())
        fault = sandbox.control.inject("access-denied", operation="s3:DeleteObject")
        try:
            with pytest.raises(AccessDenied) as raised:
                artifacts.remove(published)
        finally:
            sandbox.control.clear([fault["fault_id"]])
        assert raised.value.action == "s3:DeleteObject"
        assert artifacts.find(application, V1) == published

    def test_a_versioned_bucket_keeps_what_was_removed_and_says_so(self, aws, bundle: Bundle, application):
        name = f"versioned-{uuid.uuid4().hex[:12]}"
        aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        artifacts = S3Artifacts(S3Bucket(aws, name))
        published = artifacts.publish(*bundle())
        assert artifacts.remove(published) is True
        assert artifacts.find(application, V1) is None
        assert artifacts.published(application) == artifacts.leftovers(application) == []
        again = artifacts.publish(*bundle())
        assert again.manifest.sequence == published.manifest.sequence + 1
        assert artifacts.find(application, V1) == again

    def test_a_bucket_without_versions_keeps_nothing(self, artifacts, bundle: Bundle):
        assert artifacts.remove(artifacts.publish(*bundle())) is False

    def test_without_the_counter_numbers_continue_after_the_highest_in_use(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        for version in (V1, V2):
            artifacts.publish(*bundle(version, version.encode()))
        bucket.delete(f"artifacts/{application}/sequence.json")
        assert artifacts.publish(*bundle(V3, b"three")).manifest.sequence == 3

    def test_an_artifact_removed_while_read_is_not_found_rather_than_damaged(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        published = artifacts.publish(*bundle())

        class RemovedMeanwhile(S3Bucket):
            def head(self, key):
                artifacts.remove(published)
                return super().head(key)

        assert S3Artifacts(RemovedMeanwhile(bucket.aws, bucket.name)).find(application, V1) is None

    def test_manifests_are_read_once_however_often_they_are_listed(
        self, artifacts, bundle: Bundle, bucket, application
    ):
        for version in (V1, V2):
            artifacts.publish(*bundle(version, version.encode()))
        artifacts.published(application)
        before = bucket.aws.calls.snapshot()["s3:GetObject"]
        artifacts.published(application)
        artifacts.leftovers(application)
        assert bucket.aws.calls.snapshot()["s3:GetObject"] == before

    def test_other_objects_below_the_prefix_are_not_artifacts(self, artifacts, bucket, application):
        for key in ("notes.txt", "v1/notes.txt", "v1/deeper/manifest.json", "-x/bundle.tar.gz"):
            bucket.write(f"artifacts/{application}/{key}", b"{}", content_type="text/plain")
        assert artifacts.published(application) == artifacts.leftovers(application) == []

    def test_concurrent_publishers_and_removers_leave_a_whole_artifact_or_none(
        self, bundle: Bundle, bucket, application
    ):
        prepared = bundle()
        over = threading.Event()

        def publish() -> int:
            artifacts, done = S3Artifacts(bucket), 0
            while not over.is_set():
                # Damaged it may look to a third for as long as the second repairs what the first took.
                with suppress(Busy, ArtifactDamaged):
                    artifacts.publish(*prepared)
                    done += 1
            return done

        def remove() -> int:
            artifacts, done = S3Artifacts(bucket), 0
            for _ in range(20):
                for published in artifacts.published(application):
                    artifacts.remove(published)
                    done += 1
                for left in artifacts.leftovers(application):
                    artifacts.discard(left)
            return done

        with ThreadPoolExecutor(5) as pool:
            publishing = [pool.submit(publish) for _ in range(3)]
            removing = [pool.submit(remove) for _ in range(2)]
            removed = sum(r.result() for r in removing)
            over.set()
            published = sum(p.result() for p in publishing)
        assert min(removed, published) > 5
        found = S3Artifacts(bucket).find(application, V1)
        there = bucket.head(bundle_key(application, V1))
        assert found is None or (there is not None and there.etag == found.etag)

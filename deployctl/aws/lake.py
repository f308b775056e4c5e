"""The lake's objects below `lake/v1/`."""

from deployctl.aws.s3 import S3Bucket
from deployctl.errors import UsageError

ROOT = "lake/v1/"


class LakeObjectMissing(UsageError, code="lake-object-missing"):
    """An object of the lake that the query needs is missing."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"{uri} does not exist", noun=uri, remedy="deployctl reconcile   # writes a snapshot"
        )


class S3Lake:
    """The Lake port on S3; writes are atomic."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket

    def write(self, key: str, body: bytes) -> None:
        self._bucket.write(ROOT + key, body, content_type="application/vnd.apache.parquet")

    def read(self, key: str) -> bytes:
        """Raises: LakeObjectMissing."""
        stored = self._bucket.get(ROOT + key)
        if stored is None:
            raise LakeObjectMissing(self._bucket.uri(ROOT + key))
        return stored.body

    def keys(self, prefix: str) -> list[str]:
        return [key.removeprefix(ROOT) for key in self._bucket.keys(ROOT + prefix)]

    def remove(self, key: str) -> None:
        self._bucket.delete(ROOT + key)

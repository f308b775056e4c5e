"""Makes small bundles with matching manifests, as a build does."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from deployctl.model.artifact import Manifest
from deployctl.model.names import ApplicationName, Version
from tests.fakes.artifacts import made_up_manifest

V1 = Version("v1")
Bundle = Callable[..., tuple[Manifest, Path]]


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def bundle_maker(folder: Path, application: ApplicationName) -> Bundle:
    """Makes a bundle of these bytes with its manifest."""

    def make(
        version: Version = V1, body: bytes = b"bundle", digest: str | None = None
    ) -> tuple[Manifest, Path]:
        path = folder / f"{hashlib.sha256(body).hexdigest()}.tar.gz"
        path.write_bytes(body)
        manifest = made_up_manifest(
            application,
            version,
            digest=digest or hashlib.sha256(b"tar of " + body).hexdigest(),
            checksum_sha256=checksum(body),
            sequence=0,
            size_bytes=len(body),
            commit="c0ffee" * 6,
            actor="someone",
        )
        return manifest, path

    return make

"""A published artifact, made up: of what a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deployctl.model.artifact import Artifact, Manifest, bundle_key
from deployctl.model.names import ApplicationName, Version

PUBLISHED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def made_up_manifest(application: str, version: str, **changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "digest": "d" * 64,
        "checksum_sha256": "c" * 44,
        "sequence": 123,
        "size_bytes": 41_000_000,
        "unpacked_bytes": 195_000_000,
        "file_count": 8_726,
        "commit": "9f3c1d2",
        "ref": "main",
        "actor": "ci",
        "created_at": PUBLISHED_AT,
        "tool_version": "0.1.0",
        "longest_hook_s": 300,
    }
    return Manifest(
        application=ApplicationName(application), version=Version(version), **{**facts, **changes}
    )


def made_up_artifact(application: str, version: str, **changes: Any) -> Artifact:
    """`changes` are the manifest's."""
    manifest = made_up_manifest(application, version, **changes)
    key = bundle_key(manifest.application, manifest.version)
    return Artifact(manifest=manifest, bucket=f"{application}-bucket", key=key, etag="e")

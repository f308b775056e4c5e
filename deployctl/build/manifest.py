"""The manifest as JSON: `deployctl.manifest/1`, keys sorted, fields may be added and never changed."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deployctl.errors import Failed
from deployctl.model.artifact import MANIFEST_SCHEMA, Manifest

_MANIFEST = TypeAdapter(Manifest)


class ManifestInvalid(Failed, code="manifest-invalid"):
    """A manifest is damaged, or from a newer deployctl. `where` is its key or path."""

    def __init__(self, where: str, said: str) -> None:
        super().__init__(
            f"{where} is not a manifest that this deployctl can read ({said})",
            noun=where,
            remedy="release under another version name, or upgrade deployctl",
        )


def to_json(manifest: Manifest) -> bytes:
    """Indented, newline at the end; times in UTC with a Z."""
    created_at = manifest.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    fields = asdict(manifest) | {"schema": MANIFEST_SCHEMA, "created_at": created_at}
    return (json.dumps(fields, sort_keys=True, indent=2) + "\n").encode()


def from_json(text: bytes, where: str) -> Manifest:
    """Fields that are not ours are ignored. Raises: ManifestInvalid, which names `where`."""
    try:
        fields: Any = json.loads(text)
    except ValueError as error:
        raise ManifestInvalid(where, f"not JSON: {error}") from error
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if schema != MANIFEST_SCHEMA:
        raise ManifestInvalid(where, f"schema {schema!r}, not {MANIFEST_SCHEMA!r}")
    try:
        return _MANIFEST.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ManifestInvalid(where, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error

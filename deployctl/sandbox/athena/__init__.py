"""The sandbox's Athena: real SQL over the sandbox's S3, behind Athena's API."""

from __future__ import annotations

from deployctl.sandbox.athena.install import OPERATIONS, Athena, install
from deployctl.sandbox.athena.object_source import MotoObjects, ObjectSource

__all__ = ["OPERATIONS", "Athena", "MotoObjects", "ObjectSource", "install"]

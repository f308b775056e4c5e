"""The sandbox's Athena: real SQL over the sandbox's S3, behind Athena's API."""

from __future__ import annotations

from deployctl.sandbox.athena.doubts import DOUBTS
from deployctl.sandbox.athena.install import OPERATIONS, Athena, install
from deployctl.sandbox.athena.objects import MotoObjects, Objects

__all__ = ["DOUBTS", "OPERATIONS", "Athena", "MotoObjects", "Objects", "install"]

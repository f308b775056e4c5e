"""A simulated AWS CodeDeploy: deployments that progress worker by worker under the real rules."""

from __future__ import annotations

from deployctl.sandbox.codedeploy.bundle import Bundles, EtagMismatch
from deployctl.sandbox.codedeploy.service import OPERATIONS, CodeDeploy, install

__all__ = ["OPERATIONS", "Bundles", "CodeDeploy", "EtagMismatch", "install"]

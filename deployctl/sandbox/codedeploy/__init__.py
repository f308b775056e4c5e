"""A simulated AWS CodeDeploy: deployments that progress worker by worker under the real rules."""

from __future__ import annotations

from deployctl.sandbox.codedeploy.assumptions import DOUBTS
from deployctl.sandbox.codedeploy.bundle import Bundles, EtagMismatch
from deployctl.sandbox.codedeploy.engine import WorkerSlots
from deployctl.sandbox.codedeploy.errors import CodeDeployError
from deployctl.sandbox.codedeploy.install import OPERATIONS, install
from deployctl.sandbox.codedeploy.service import CodeDeploy

__all__ = [
    "DOUBTS",
    "OPERATIONS",
    "Bundles",
    "CodeDeploy",
    "CodeDeployError",
    "EtagMismatch",
    "WorkerSlots",
    "install",
]

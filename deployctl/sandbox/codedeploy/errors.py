"""The refusals of CodeDeploy's API: AWS's own codes, and the sandbox's own for what it does not model."""

from __future__ import annotations

from deployctl.sandbox.unsupported import NOT_MODELLED


class CodeDeployError(Exception):
    """A request refused: `code` such as "DeploymentDoesNotExistException", `message` for people.

    Source: CodeDeploy API reference; every code but NOT_MODELLED is an error shape of botocore's model.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def not_modelled(what: str) -> CodeDeployError:
    """What AWS does and the sandbox does not: said plainly, and not worth a retry."""
    return CodeDeployError(NOT_MODELLED, f"The deployctl sandbox does not model {what}.")

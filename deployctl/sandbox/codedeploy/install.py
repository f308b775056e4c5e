"""Puts the simulated service behind moto's CodeDeploy: moto parses, serialises and routes, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.codedeploy.responses import CodeDeployResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model

from deployctl.sandbox.codedeploy.errors import CodeDeployError, not_modelled
from deployctl.sandbox.codedeploy.operation import Request, Response
from deployctl.sandbox.codedeploy.service import METHODS, CodeDeploy

#: The operations that are modelled, by AWS's names.
OPERATIONS: Final = frozenset(
    name
    for name in get_service_model("codedeploy").operation_names
    if camelcase_to_underscores(name) in METHODS
)

Handler = Callable[[Request], Response]


class _Refused(ServiceException):
    """A CodeDeployError as moto answers it; the service model gives the code its HTTP status, 400."""


def install(codedeploy: CodeDeploy) -> None:
    """Answer every CodeDeploy operation of botocore's model from `codedeploy`, in this process.

    Operations that are not modelled answer with a typed error that names them, which no client retries.
    """
    for name in get_service_model("codedeploy").operation_names:
        method = camelcase_to_underscores(name)
        handler = getattr(codedeploy, method) if name in OPERATIONS else _refuse(name)
        setattr(CodeDeployResponse, method, _answering(handler))


def _refuse(operation: str) -> Handler:
    def refuse(_request: Request) -> Response:
        raise not_modelled(f"the operation codedeploy:{operation}")

    return refuse


def _answering(handler: Handler) -> Callable[[Any], ActionResult]:
    # moto finds operations with inspect.isfunction, so a plain function it must be.
    def answer(self: Any) -> ActionResult:
        try:
            return ActionResult(handler(dict(self.params or {})))
        except CodeDeployError as error:
            raise _Refused(error.code, error.message) from error

    return answer

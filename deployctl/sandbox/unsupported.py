"""The simulated services' refusals, in the words that AWS has for them."""

from __future__ import annotations

from moto.core.exceptions import ServiceException

NOT_MODELLED = "NotImplementedBySandbox"


class Refused(ServiceException):
    """A service's error: `code` is AWS's, and the service's own model gives it its HTTP status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


def not_modelled(what: str) -> Refused:
    """What AWS has and the sandbox does not: said plainly, and never retried by a client."""
    return Refused(NOT_MODELLED, f"{what} is not modelled by the deployctl sandbox")

"""The simulated services' errors, with AWS's own codes and messages."""

from moto.core.exceptions import ServiceException

NOT_MODELLED = "NotImplementedBySandbox"


class Refused(ServiceException):
    """A service's error: `code` is AWS's; the service model defines its HTTP status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


def invalid(message: str) -> Refused:
    """Auto Scaling's and CloudWatch's answer to almost every request that they do not take."""
    return Refused("ValidationError", message)


def not_modelled(what: str) -> Refused:
    """The error for an AWS feature that the sandbox does not model; clients do not retry it."""
    return Refused(NOT_MODELLED, f"{what} is not modelled by the deployctl sandbox")

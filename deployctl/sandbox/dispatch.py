"""Routes every request: parse, count, inject faults, check, and let moto answer."""

import io
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal

from moto.core.exceptions import ServiceException
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

from deployctl.sandbox import request_faults, s3
from deployctl.sandbox.constants import ACCESS_KEY_ID, REGION
from deployctl.sandbox.error_responses import ServiceError, reply
from deployctl.sandbox.faults import RequestFault
from deployctl.sandbox.request import AwsRequest, Reply, is_loopback, parse_request
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import NOT_MODELLED, Refused, not_modelled

log = logging.getLogger(__name__)

#: The server drops the connection without an answer.
RESET: Literal["reset"] = "reset"
CONTROL_PREFIX = "/_sandbox/"
#: Services modelled in the sandbox's own region only. S3 and STS also answer in others.
ONE_REGION = frozenset({"athena", "autoscaling", "codedeploy", "ec2", "glue", "monitoring"})
#: The status of a simulator failure: clients would retry a 5xx.
SANDBOX_ERROR = "SandboxError"
EXPIRED = ServiceError(403, "AccessDenied", "Request has expired")
FOREIGN_HOST = ServiceError(
    403, SANDBOX_ERROR, "the sandbox answers requests to 127.0.0.1 and localhost only"
)


class Dispatch:
    """`operations` are the modelled operations of each service."""

    def __init__(
        self,
        world: Simulation,
        operations: Mapping[str, frozenset[str]],
        control: Callable[[str, Mapping[str, Any], bytes], Reply],
    ) -> None:
        self._world = world
        self._operations = operations
        self._control = control
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._never = threading.Event()

    def answer(self, environ: dict[str, Any], body: bytes) -> Reply | Literal["reset"]:
        """The reply to one request; never raises. `body` is complete, read without the lock."""
        path = str(environ["PATH_INFO"])
        call = parse_request(environ, body)
        if not is_loopback(environ):
            return reply(call, FOREIGN_HOST)
        if path.startswith(CONTROL_PREFIX):
            return self._control(path.removeprefix(CONTROL_PREFIX), environ, body)
        try:
            return self._answer(call)
        except Exception as error:  # noqa: BLE001 - whatever failed, the client gets a typed error, and the log the rest
            return self._failed(call, error)

    def _answer(self, call: AwsRequest) -> Reply | Literal["reset"]:
        self._world.calls.count(call.name)
        if call.access_key is None or not call.access_key.startswith(ACCESS_KEY_ID):
            problem = "unsigned" if call.access_key is None else "unknown-key"
            return reply(call, request_faults.error_for(problem, call))
        if call.expires_at is not None and call.expires_at < self._world.now().timestamp():
            return reply(call, EXPIRED)
        self._refuse_unmodelled(call)
        fault = self._match_fault(call)
        if fault is None:
            return self._served(call)
        log.info("%s hit by %s", call.name, fault.fault_id)
        if fault.kind == "slow":
            self._never.wait(fault.delay_s)
            return self._served(call)
        if fault.kind == "reset-after":
            self._served(call)
        if fault.kind in ("reset", "reset-after"):
            return RESET
        return reply(call, request_faults.error_for(fault.kind, call))

    def _served(self, call: AwsRequest) -> Reply:
        if call.service == "s3":
            refusal = s3.bad_body(call)
            if refusal is not None:
                return reply(call, refusal)
            s3.name_algorithm(call)
        with self._world.lock:
            refusal = s3.refused(call) if call.service == "s3" else None
            return self._ask_moto(call) if refusal is None else reply(call, refusal)

    def _refuse_unmodelled(self, call: AwsRequest) -> None:
        protocol = call.environ.get("HTTP_SMITHY_PROTOCOL")
        if call.operation not in self._operations.get(call.service, frozenset()):
            raise not_modelled(call.name)
        if call.service in ONE_REGION and call.region != REGION:
            raise Refused(NOT_MODELLED, f"{call.prefix} is modelled in {REGION} only, not in {call.region}")
        if protocol:
            raise not_modelled(f"{call.name} in the protocol {protocol}")

    def _match_fault(self, call: AwsRequest) -> RequestFault | None:
        with self._world.lock:
            faults = self._world.faults
            if not faults.of(RequestFault):
                return None
            return faults.match_request(call.name, now=self._world.now(), luck=self._world.random.random())

    def _ask_moto(self, call: AwsRequest) -> Reply:
        environ = {**call.environ, "wsgi.input": io.BytesIO(call.body), "CONTENT_LENGTH": str(len(call.body))}
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        return Reply(status=int(status.split()[0]), headers=list(headers), body=b"".join(chunks))

    @staticmethod
    def _failed(call: AwsRequest, error: Exception) -> Reply:
        code, message = SANDBOX_ERROR, f"the sandbox failed on {call.name}: {type(error).__name__}: {error}"
        if isinstance(error, NotImplementedError):
            code, message = NOT_MODELLED, f"{not_modelled(call.name).message}: {error}"
        elif isinstance(error, ServiceException):
            # Raised where moto does not catch it, such as while it parses parameters.
            code, message = error.code, error.message
        else:
            log.error("%s failed", call.name, exc_info=error)
        return reply(call, ServiceError(400, code, message))

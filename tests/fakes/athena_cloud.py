"""The sandbox's Athena and moto's S3 on a server in this process, so that a test can look inside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.athena.responses import AthenaResponse
from moto.glue.responses import GlueResponse

from deployctl.sandbox.athena.glue import Glue
from deployctl.sandbox.athena.queries import Athena
from deployctl.sandbox.constants import BUCKET, REGION
from deployctl.sandbox.dispatch import Dispatch
from deployctl.sandbox.http import Server, listen
from deployctl.sandbox.moto_patch import serve
from deployctl.sandbox.request import Reply
from deployctl.sandbox.s3 import OPERATIONS, backend
from deployctl.sandbox.simulation import Simulation

DATABASE, WORKGROUP, HISTORY = "deployctl", "deployctl", "deployctl-history"


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaCloud:
    endpoint: str
    world: Simulation
    athena: Athena

    @property
    def session(self) -> boto3.Session:
        return boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=REGION)

    def client(self, service: str, *, parameter_validation: bool = True) -> Any:
        once = Config(retries={"total_max_attempts": 1}, parameter_validation=parameter_validation)
        return self.session.client(service, endpoint_url=self.endpoint, config=once)


@contextmanager
def athena_cloud(*, speed: float) -> Iterator[AthenaCloud]:
    """Athena set up over an empty bucket."""
    world = Simulation(speed=speed)
    service = Athena(world)
    operations = {
        "athena": serve("athena", AthenaResponse, service),
        "glue": serve("glue", GlueResponse, Glue(service.catalog)),
        "s3": OPERATIONS,
    }
    dispatch = Dispatch(world, operations, lambda *_request: Reply(status=404))
    timers = threading.Thread(target=world.timers.run_forever, daemon=True)
    timers.start()
    listening = listen(0)
    server = Server(listening, dispatch.answer)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
    cloud = AthenaCloud(endpoint=endpoint, world=world, athena=service)
    cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    service.set_up(bucket=BUCKET, database=DATABASE, workgroup=WORKGROUP, history_workgroup=HISTORY)
    yield cloud
    server.shutdown()
    serving.join()
    server.server_close()
    listening.close()
    backend().reset()
    world.timers.stop()
    timers.join()

"""The sandbox's Athena and moto's S3 on a server in this process, so that a test can look inside."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from deployctl.sandbox import athena
from deployctl.sandbox.constants import BUCKET, REGION
from deployctl.sandbox.s3 import backend
from deployctl.sandbox.simulation import Simulation

DATABASE, WORKGROUP, HISTORY = "deployctl", "deployctl", "deployctl-history"


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaCloud:
    endpoint: str
    world: Simulation
    athena: athena.Athena

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
    service = athena.Athena(world)
    athena.install(service)
    timers = threading.Thread(target=world.timers.run_forever, daemon=True)
    timers.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    cloud = AthenaCloud(endpoint=f"http://{host}:{port}", world=world, athena=service)
    cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    service.set_up(bucket=BUCKET, database=DATABASE, workgroup=WORKGROUP, history_workgroup=HISTORY)
    yield cloud
    server.stop()
    backend().reset()
    world.timers.stop()
    timers.join()

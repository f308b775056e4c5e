"""The result of a release while AWS throttles, fails, drops connections, is slow or is down for a while."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository

PATIENCE_S = 600


@dataclass(frozen=True, kw_only=True)
class Case:
    """These faults from the start (or after some requests), and the expected result.

    `code` and `verdict` are the release's; where it ends with the error `error`, the faults go, and the same
    command then has the verdict. `broken` is how many workers' hooks fail.
    """

    name: str
    faults: tuple[dict[str, Any], ...]
    verdict: str = "verified"
    code: ExitCode = ExitCode.DONE
    error: str | None = None
    broken: int = 0
    long: bool = True


def request(kind: str, **fields: Any) -> tuple[dict[str, Any], ...]:
    return ({"kind": kind, **fields},)


#: In the middle: some of six groups have been deployed to, none is done.
MIDDLE = 26
CASES = (
    Case(name="30 % throttled", faults=request("throttle", rate=0.3), long=False),
    Case(name="10 % failed", faults=request("error-500", rate=0.1)),
    Case(name="10 % reset", faults=request("reset", rate=0.1)),
    Case(name="25 % reset", faults=request("reset", rate=0.25)),
    Case(name="25 % served and reset", faults=request("reset-after", rate=0.25)),
    Case(
        name="CreateDeployment gone for 60 s",
        faults=request("error-500", operation="codedeploy:CreateDeployment", for_s=60),
    ),
    Case(name="10 % served and reset", faults=request("reset-after", rate=0.1)),
    Case(name="30 % take 2 s", faults=request("slow", rate=0.3, delay_s=2.0)),
    Case(name="all take 2 s", faults=request("slow", delay_s=2.0)),
    Case(
        name="credentials expire in the middle",
        faults=request("expired-credentials", after=MIDDLE),
        code=ExitCode.ACCESS,
        error="credentials-expired",
        long=False,
    ),
    Case(name="S3 gone for 20 s", faults=request("unavailable", operation="s3:*", after=8, for_s=20)),
    Case(name="S3 gone for 20 s at the start", faults=request("unavailable", operation="s3:*", for_s=20)),
    Case(name="S3 throttles all for 60 s", faults=request("throttle", operation="s3:*", after=8, for_s=60)),
    Case(
        name="CodeDeploy throttles all for 60 s",
        faults=request("throttle", operation="codedeploy:*", after=3, for_s=60),
    ),
    Case(name="EC2 throttles all for 60 s", faults=request("throttle", operation="ec2:*", after=1, for_s=60)),
    Case(name="everything throttles all for 60 s", faults=request("throttle", after=MIDDLE, for_s=60)),
    Case(name="everything throttles all from the start", faults=request("throttle", for_s=60)),
    Case(
        name="S3 gone for good",
        faults=request("unavailable", operation="s3:*", after=8),
        code=ExitCode.FAILED,
        error="service-fault",
    ),
    Case(
        name="30 % throttled, a worker broken",
        faults=request("throttle", rate=0.3),
        broken=1,
        verdict="failed",
        code=ExitCode.FAILED,
    ),
    Case(
        name="10 % failed and reset, 20 % throttled, two workers broken",
        faults=(
            *request("error-500", rate=0.1),
            *request("reset-after", rate=0.2),
            *request("throttle", rate=0.4),
        ),
        broken=2,
        verdict="failed",
        code=ExitCode.FAILED,
    ),
)


@dataclass(frozen=True)
class Fleet:
    """Its workers do not tag themselves: the release writes every tag."""

    sandbox: Any
    repository: Any

    def seen(self) -> int:
        events = self.sandbox.control.events()
        return events[-1]["seq"] if events else 0

    def inject(self, case: Case) -> None:
        control = self.sandbox.control
        control.clear()
        control.inject("no-self-tag")
        workers = sorted(w["instance_id"] for w in control.workers())
        for instance_id in workers[:: len(workers) // 2][: case.broken]:
            control.inject("hook-fails", instance=instance_id)
        for fault in case.faults:
            control.inject(**fault)

    def clear_requests(self) -> None:
        control = self.sandbox.control
        kinds = {"no-self-tag", "hook-fails"}
        control.clear([f["fault_id"] for f in control.faults() if f["fault"] not in kinds])

    def tagged(self, version: str) -> set[str]:
        pages = self.sandbox.client("ec2").get_paginator("describe_instances").paginate()
        instances = (i for page in pages for r in page["Reservations"] for i in r["Instances"])
        want = {"Key": "deployctl:version", "Value": version}
        return {i["InstanceId"] for i in instances if want in i.get("Tags", [])}


@pytest.fixture(scope="module")
def fleet(start_sandbox, tmp_path_factory) -> Fleet:
    sandbox = start_sandbox(groups=6, workers=24, seed=71, speed=100.0)
    return Fleet(sandbox, make_repository(tmp_path_factory.mktemp("faults") / "repo", sandbox.env))


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize(
    ("number", "case"),
    [
        pytest.param(number, case, id=case.name, marks=[pytest.mark.soak] if case.long else [])
        for number, case in enumerate(CASES, start=1)
    ],
)
def test_what_aws_does_to_requests_a_release_bears(fleet: Fleet, figures, number: int, case: Case):
    version, seen = f"v{number}", fleet.seen()
    fleet.inject(case)
    began = time.monotonic()
    done = fleet.repository.deployctl("release", version, "--json", timeout=PATIENCE_S)
    took_s = time.monotonic() - began
    fleet.clear_requests()
    assert done.code == case.code, done.stderr
    if case.error is not None:
        assert done.data["code"] == case.error
        done = fleet.repository.deployctl("release", version, "--json")
        assert done.code == ExitCode.DONE, done.stderr
    assert done.data["verdict"] == case.verdict
    figures(f"{case.name}: exit {int(case.code)}, {took_s:.0f} s")

    events = fleet.sandbox.control.events(since=seen)
    created = Counter(e["group"] for e in events if e["kind"] == "deployment-created")
    assert set(created.values()) == {1}
    assert len(created) == 6
    succeeded = {e["instance_id"] for e in events if e["kind"] == "worker-up" and e["version"] == version}
    failed = {e["instance_id"] for e in events if e["kind"] == "worker-failed"}
    assert len(failed) == case.broken
    assert fleet.tagged(version) == succeeded
    assert len(succeeded | failed) == 24

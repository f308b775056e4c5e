"""What a dry run says beforehand, over S3, CodeDeploy and Athena as the sandbox has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deployctl.config.settings import Engine, Settings
from deployctl.flows.forecast import build_forecast
from deployctl.flows.release import ReleaseOptions, dry_run, release
from deployctl.flows.resolve_artifact import ArtifactRequest
from deployctl.model.names import ApplicationName, Version
from deployctl.model.release import ReleaseOutcome
from deployctl.model.verdict import Verdict
from deployctl.plan.forecast import Forecast
from deployctl.ports import Ports
from deployctl.sandbox.constants import BUCKET
from deployctl.wiring import connect
from tests.contract.bundles import bundle_maker
from tests.fakes.aws_server import speak_to
from tests.fakes.cloud import bundle as worker_bundle
from tests.fakes.releasing import settings_for

SHOP = ApplicationName("shop")


class Shop:
    """The sandbox's fleet, with v1 to v3 published. Each verb is a process of its own, with ports of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        make = bundle_maker(folder, SHOP)
        for version in ("v1", "v2", "v3"):
            body = worker_bundle(version)
            connect(settings).artifacts.publish(*make(Version(version), body, digest=f"of {version}"))

    def asked(self, version: str) -> ReleaseOptions:
        request = ArtifactRequest(
            version=Version(version), repository=Path("/nowhere"), actor="ci", existing=True
        )
        return ReleaseOptions(artifact=request)

    def release(self, version: str, ports: Ports | None = None) -> ReleaseOutcome:
        ports = ports or connect(self.settings)
        return release(self.asked(version), self.settings, ports, emit=lambda _: None)

    def look_ahead(self, version: str, ports: Ports | None = None) -> Forecast:
        ports = ports or connect(self.settings)
        return build_forecast(dry_run(self.asked(version), self.settings, ports).plan, ports)


@pytest.fixture
def shop(start_sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    sandbox = start_sandbox(groups=6, workers=24, seed=43, speed=10.0)
    speak_to(sandbox.endpoint, monkeypatch)
    settings = replace(settings_for({}, "half"), engine=Engine.ATHENA, bucket=BUCKET)
    return Shop(settings, tmp_path)


@pytest.mark.soak
def test_after_a_release_the_next_ones_time_and_calls_are_known_beforehand(shop: Shop):
    before = shop.look_ahead("v1")
    assert (before.eta.is_known, before.history_gap) == (False, None)
    assert shop.release("v1").verdict is Verdict.VERIFIED
    said = shop.look_ahead("v2")
    ports = connect(shop.settings)
    done = shop.release("v2", ports)
    assert done.verdict is Verdict.VERIFIED
    assert len(said.durations) == 6
    assert said.eta.p50_s == pytest.approx(done.elapsed_s, rel=0.5, abs=5)
    assert said.calls["codedeploy:CreateDeployment"] == done.calls["codedeploy:CreateDeployment"] == 6
    # The outcome counts only the calls before its own: the lake, the journal's last entry and the lock come after.
    assert sum(said.calls.values()) == pytest.approx(sum(ports.calls().values()), rel=0.1)
    # By DuckDB in this process it is the same history.
    by_duckdb = Shop.look_ahead(shop, "v3", connect(replace(shop.settings, engine=Engine.DUCKDB)))
    assert set(by_duckdb.durations) == set(said.durations)


def test_where_athena_has_no_workgroup_the_plan_stands_without_a_history(shop: Shop):
    ports = connect(replace(shop.settings, workgroup="nobodys"))
    found = shop.look_ahead("v3", ports)
    assert found.history_gap is not None
    assert "nobodys-history" in found.history_gap
    assert found.calls["codedeploy:CreateDeployment"] > 0

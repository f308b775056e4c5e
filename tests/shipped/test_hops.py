"""From the command to boto3, a reader passes through few functions."""

from tests.cli.conftest import make_repository
from tests.shipped.hops import list_hops

MOST = 13


def test_a_release_reaches_create_deployment_through_at_most_13_functions(tmp_path, start_sandbox):
    sandbox = start_sandbox(groups=2, workers=4, seed=13, speed=600.0)
    hops = list_hops(make_repository(tmp_path / "repository", sandbox.env).folder, sandbox.env)
    assert hops[-1].startswith("aws/"), hops
    assert len(hops) <= MOST, hops

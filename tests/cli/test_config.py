import json

import pytest
from typer.testing import CliRunner

from deployctl.cli.command_tree import app
from deployctl.cli.context import CliContext
from deployctl.config.find import ConfigurationNotFound
from deployctl.config.problems import InvalidConfiguration
from tests.fakes.configuration import FOUR_LINES


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "deployctl.toml"
    path.write_text(FOUR_LINES)
    return path


def run(*arguments, **options):
    return CliRunner().invoke(app, ["config", *arguments], obj=CliContext(**{"environment": {}, **options}))


def test_check_sums_up_a_valid_file_in_one_line(config):
    result = run("check", "--config", str(config))
    assert result.exit_code == 0
    assert result.stdout == (
        f"{config} is valid: application shop in eu-west-1, bucket shop-deployctl, "
        "workgroup deployctl, strategy half\n"
    )


def test_check_reports_every_error_at_once(config):
    config.write_text(FOUR_LINES + "stratgy = 'one'\nengine = 'x'\n")
    result = run("check", "--config", str(config))
    assert isinstance(result.exception, InvalidConfiguration)
    assert len(result.exception.details) == 2
    assert result.exception.exit_code == 2
    assert result.stdout == ""


def test_without_a_file_the_error_offers_init(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    result = run("check")
    assert isinstance(result.exception, ConfigurationNotFound)
    assert result.exception.remedy == "deployctl init"


def test_show_prints_each_value_and_its_source(config):
    config.write_text(FOUR_LINES + "\n[[groups]]\nmatch = 'video-*'\nstrategy = '25%'\n")
    environment = {"DEPLOYCTL_REGION": "us-east-1", "DEPLOYCTL_CONFIG": str(config)}
    lines = run("show", environment=environment).stdout.splitlines()
    words = {line.split()[0]: line.split() for line in lines}
    assert words["application"] == ["application", '"shop"', f"{config}:1"]
    assert words["region"] == ["region", '"us-east-1"', "DEPLOYCTL_REGION"]
    assert words["timeout"] == ["timeout", '"1h"', "default"]
    assert words["bake"] == ["bake", '"0s"', "default"]
    assert words["progress_deadline"] == ["progress_deadline", "none", "default"]
    assert lines[-1].startswith("groups[0]  ")
    assert '{"match": "video-*", "strategy": "25%"}' in lines[-1]
    assert lines[-1].endswith(f"{config}:6")


def test_show_prints_only_the_keys_that_a_rule_sets(config):
    config.write_text(FOUR_LINES + "\n[[groups]]\nmatch = 'video-*'\nwave = 2\nmax_failed = 1\n")
    last = run("show", "--config", str(config)).stdout.splitlines()[-1]
    assert '{"match": "video-*", "wave": 2, "max_failed": "1"}' in last


def test_show_as_json_has_every_value_and_its_source(config):
    shown = json.loads(run("show", "--json", "--config", str(config)).stdout)
    assert (shown["schema"], shown["path"]) == ("deployctl.config/1", str(config))
    by_key = {setting.pop("key"): setting for setting in shown["settings"]}
    assert by_key["bucket"] == {"value": "shop-deployctl", "source": "file", "where": f"{config}:3"}
    assert by_key["build.exclude"] == {"value": [], "source": "default", "where": None}
    assert by_key["max_failed_total"] == {"value": None, "source": "default", "where": None}
    assert by_key["suspend_scaling"] == {"value": False, "source": "default", "where": None}
    assert len(by_key) == 20


def test_a_common_option_works_before_the_command_and_after_it(config):
    assert json.loads(run("check", config_path=config, json=True).stdout) == {
        "schema": "deployctl.config-check/1",
        "path": str(config),
        "valid": True,
    }


def test_schema_prints_the_schema_without_a_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert json.loads(run("schema").stdout)["title"] == "deployctl.toml"

"""The wheel, in an empty venv far from the checkout, does what the checkout does."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from deployctl.sandbox.state import UNTIL_EXIT_OF

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The bin folder of a venv that holds deployctl from its wheel; only dependencies are shared with ours."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    # A path in a .pth file comes after the venv's own, and the .pth files in it (our editable one) are not read.
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True
    )
    return python.parent


@pytest.fixture
def run(installed, tmp_path):
    """Run something from the venv's bin, in a folder outside the checkout."""
    work = tmp_path / "work"
    work.mkdir()
    env = {
        "PATH": f"{installed}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        UNTIL_EXIT_OF: os.environ[UNTIL_EXIT_OF],
    }

    def run(*command: str, more: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            command, cwd=work, env={**env, **(more or {})}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_it_is_the_wheel_that_runs(run, installed):
    where = run(str(installed / "python"), "-c", "import deployctl; print(deployctl.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent)
    assert run("deployctl", "--version").startswith("deployctl ")


def test_the_shipped_hooks_keep_their_run_bits(run, installed):
    asset = "from deployctl import assets; print(assets.hooks_dir())"
    hooks = Path(run(str(installed / "python"), "-c", asset).strip())
    assert hooks.is_relative_to(installed.parent)
    for source in (ROOT / "hooks").rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts:
            copy = hooks / source.relative_to(ROOT / "hooks")
            assert copy.read_bytes() == source.read_bytes()
            assert os.access(copy, os.X_OK) == os.access(source, os.X_OK), copy


def test_the_dashboard_lies_in_it(run, installed):
    asset = "from deployctl import assets; print(assets.athena_dir())"
    folder = Path(run(str(installed / "python"), "-c", asset).strip())
    assert folder.is_relative_to(installed.parent)
    dashboard = Path("grafana", "fleet.json")
    assert (folder / dashboard).read_bytes() == (ROOT / "athena" / dashboard).read_bytes()


def test_init_config_check_and_a_release_in_the_sandbox_work_from_it(run):
    for command in (
        ("git", "init", "--quiet"),
        ("git", "config", "user.name", "Tester"),
        ("git", "config", "user.email", "tester@example.com"),
    ):
        run(*command)
    run("deployctl", "sandbox", "start", "--groups", "2", "--workers", "4", "--speed", "600")
    try:
        lines = run("deployctl", "sandbox", "env").splitlines()
        env = {n: v.strip("'") for n, _, v in (line.removeprefix("export ").partition("=") for line in lines)}
        run("deployctl", "init", "--no-input", "--yes", more=env)
        run("deployctl", "config", "check", more=env)
        run("deployctl", "release", "v1", more=env)
        run("deployctl", "reconcile", more=env)
        assert "all is well" in run("deployctl", "report", "--html", "-", more=env)
    finally:
        run("deployctl", "sandbox", "stop")

"""`--lint=warn` builds what the lint refuses, and the manifest says so."""

import pytest

from deployctl.build.lint import AppspecInvalid
from deployctl.model.artifact import LintMode
from tests.unit.build.trees import APPSPEC


@pytest.fixture
def faulty(repository):
    repository.write("appspec.yml", APPSPEC.replace("os: linux", "os: Linux"))
    repository.commit()
    return repository


def test_an_error_stops_the_build_and_the_message_names_the_override(faulty, build_in, tmp_path):
    with pytest.raises(AppspecInvalid) as caught:
        build_in(faulty)
    assert "--lint=warn" in caught.value.message
    assert not list(tmp_path.glob("out/*"))


def test_the_override_is_recorded_and_noted(faulty, build_in):
    built = build_in(faulty, lint=LintMode.WARN)
    assert built.path.exists()
    assert built.manifest.lint_errors == ("appspec.yml:2: os 'Linux' is not linux; write `os: linux`",)
    assert built.notes == (f"ignored by --lint=warn: {built.manifest.lint_errors[0]}",)


def test_without_an_error_nothing_is_recorded(repository, build_in):
    built = build_in(repository, lint=LintMode.WARN)
    assert (built.manifest.lint_errors, built.notes) == ((), ())

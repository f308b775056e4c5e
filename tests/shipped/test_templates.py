"""What `deployctl init` writes is what deployctl itself and a real agent accept."""

import re

import pytest

from deployctl.build.appspec import NAME, longest_hook_s
from deployctl.build.directory_tree import DirectoryTree
from deployctl.build.lint import Files, lint
from deployctl.build.templates import KINDS, init_files


@pytest.fixture(params=KINDS)
def files(request):
    return init_files(request.param)


def written(files, directory):
    for name, file in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    tree = DirectoryTree(directory)
    return Files(tree, tree.entries)


def test_the_template_has_no_findings(files, tmp_path):
    appspec, findings = lint(written(files, tmp_path))
    assert [str(finding) for finding in findings] == []
    assert 0 < longest_hook_s(appspec) <= 600


def test_every_lifecycle_event_has_its_script(files, tmp_path):
    appspec, _ = lint(written(files, tmp_path))
    assert [script.event for script in appspec.scripts] == [
        "ApplicationStop",
        "BeforeInstall",
        "AfterInstall",
        "ApplicationStart",
        "ValidateService",
    ]


def test_only_scripts_that_are_called_are_executable(files, tmp_path):
    appspec, _ = lint(written(files, tmp_path))
    called = {script.location for script in appspec.scripts}
    assert {name for name, file in files.items() if file.executable} == called


def test_hooks_and_appspec_agree_on_where_the_files_go(files, tmp_path):
    appspec, _ = lint(written(files, tmp_path))
    app_dir = re.search(rb"(?m)^APP_DIR=(.+)$", files["deploy/hooks/worker.env"].content)
    assert [mapping.destination for mapping in appspec.mappings] == [app_dir[1].decode()]


def test_the_worker_names_its_version_tag_in_validate_service(files):
    assert b"deployctl:version" in files["deploy/hooks/validate_service.sh"].content


def test_the_files_are_plain_text_with_unix_lines(files):
    assert NAME in files
    for name, file in files.items():
        assert b"\r" not in file.content, name
        assert file.content.decode("utf-8").endswith("\n")
        assert max(map(len, file.content.decode("utf-8").splitlines())) <= 120, name


def test_an_unknown_kind_has_no_files():
    with pytest.raises(FileNotFoundError):
        init_files("spaceship")

"""Several applications in one repository, each initialised in its own folder."""

from __future__ import annotations

import tarfile

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import Repository


@pytest.fixture
def repository(tmp_path, fleet) -> Repository:
    """An empty git repository."""
    folder = tmp_path / "repo"
    folder.mkdir()
    made = Repository(folder, fleet.env)
    made.git("init", "--quiet")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@example.com")
    return made


def test_two_applications_of_one_repository_are_built_from_their_own_folders(repository):
    for name in ("a", "b"):
        repository.write(f"svc/{name}/{name}.py", "")
        here = Repository(repository.folder / "svc" / name, repository.env)
        repository.commit()
        done = here.deployctl("init", "--no-input", "--yes", "--here")
        assert done.code == ExitCode.DONE, done.stderr
        built = here.deployctl("build", "--version", f"v-{name}", "--output", str(repository.folder.parent))
        assert built.code == ExitCode.DONE, built.stderr
        with tarfile.open(repository.folder.parent / f"v-{name}.tar.gz") as bundle:
            assert f"{name}.py" in bundle.getnames()
            assert "appspec.yml" in bundle.getnames()
            assert not [path for path in bundle.getnames() if path.startswith("svc")]


def test_a_plain_init_in_a_folder_says_where_the_files_are_and_how_to_have_them_here(repository):
    repository.write("svc/a/a.py", "")
    here = Repository(repository.folder / "svc" / "a", repository.env)
    done = here.deployctl("init", "--no-input")
    assert done.code == ExitCode.DONE, done.stderr
    assert f"in the repository's top folder, {repository.folder}" in done.stderr
    assert "deployctl init --here" in done.stderr
    assert f"next: cd {repository.folder} && git add" in done.stderr
    again = here.deployctl("init", "--no-input", "--json")
    assert again.code == ExitCode.USAGE
    assert again.data["code"] == "init-in-subfolder"

import os
import threading
import time
from pathlib import Path

import pytest

from deployctl.config import find
from deployctl.config.find import ConfigurationNotFound, ConfigurationUnreadable, find_file, read_text
from deployctl.errors import ExitCode


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "deployctl.toml").write_text("outer")
    inner = tmp_path / "outer" / "repo" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "outer" / "repo" / ".git").mkdir()
    return tmp_path / "outer" / "repo"


def test_the_file_is_found_from_a_folder_below_it(repository):
    (repository / "deployctl.toml").write_text("")
    assert find_file(repository / "src" / "deep", {}) == repository / "deployctl.toml"


def test_the_nearest_file_is_taken(repository):
    for folder in (repository, repository / "src"):
        (folder / "deployctl.toml").write_text("")
    assert find_file(repository / "src" / "deep", {}) == repository / "src" / "deployctl.toml"


def test_the_search_ends_at_the_repositorys_root(repository):
    with pytest.raises(ConfigurationNotFound) as caught:
        find_file(repository / "src", {})
    assert (caught.value.remedy, caught.value.exit_code) == ("deployctl init", ExitCode.USAGE)
    assert str(repository / "src") in caught.value.message


def test_outside_a_repository_the_search_continues_upwards(repository):
    (repository / ".git").rmdir()
    assert find_file(repository / "src", {}) == repository.parent / "deployctl.toml"


def test_the_root_of_a_worktree_ends_the_search_too(repository):
    (repository / ".git").rmdir()
    (repository / ".git").write_text("gitdir: elsewhere")
    with pytest.raises(ConfigurationNotFound):
        find_file(repository / "src", {})


def test_a_flag_wins_over_the_variable_and_both_over_the_search(repository):
    (repository / "deployctl.toml").write_text("")
    for name in ("flag.toml", "variable.toml"):
        (repository / name).write_text("")
    environment = {"DEPLOYCTL_CONFIG": "variable.toml"}
    assert find_file(repository, environment) == repository / "variable.toml"
    assert find_file(repository, environment, repository / "flag.toml") == repository / "flag.toml"
    assert find_file(repository, {"DEPLOYCTL_CONFIG": ""}) == repository / "deployctl.toml"


@pytest.mark.parametrize("name", ["missing.toml", "a\0b", "x" * 300])
def test_a_file_that_was_named_must_exist(repository, name):
    with pytest.raises(ConfigurationNotFound, match="DEPLOYCTL_CONFIG names"):
        find_file(repository, {"DEPLOYCTL_CONFIG": name})


def test_a_byte_that_is_not_utf8_is_named_with_line_and_column(tmp_path):
    path = tmp_path / "deployctl.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigurationUnreadable, match=r"deployctl\.toml:2:6: byte 0xff is not UTF-8"):
        read_text(path)


def test_a_byte_order_mark_is_left_out(tmp_path):
    path = tmp_path / "deployctl.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1")
    assert read_text(path) == "a = 1"


def test_a_folder_in_the_files_place_is_unreadable(tmp_path):
    with pytest.raises(ConfigurationUnreadable, match="Is a directory"):
        read_text(tmp_path)


def test_a_pipe_that_nothing_is_written_to_does_not_wait_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    with pytest.raises(ConfigurationUnreadable, match="no text came"):
        read_text(tmp_path / "pipe")
    assert time.monotonic() - began < 10


def test_a_pipe_whose_writer_is_silent_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(find, "_PIPE_LIMIT_S", 0.2)
    reader, writer = os.pipe()
    with pytest.raises(ConfigurationUnreadable, match="no text came"):
        read_text(Path(f"/dev/fd/{reader}"))
    os.close(writer)
    os.close(reader)


def test_a_pipe_of_a_shells_process_substitution_is_read_to_its_end():
    reader, writer = os.pipe()

    def write():
        for part in (b'application = "s', b'hop"\n'):
            time.sleep(0.2)
            os.write(writer, part)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_text(Path(f"/dev/fd/{reader}")) == 'application = "shop"\n'
    thread.join()
    os.close(reader)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_configuration(path):
    with pytest.raises(ConfigurationUnreadable):
        read_text(Path(path))


def test_a_large_file_is_no_configuration(tmp_path):
    with (tmp_path / "deployctl.toml").open("wb") as file:
        file.truncate(10_000_000_000)
    with pytest.raises(ConfigurationUnreadable, match="too large"):
        read_text(tmp_path / "deployctl.toml")

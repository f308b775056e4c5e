"""Temporary copies of a process that was killed are removed by a later run; those of a living one stay."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deployctl.build.disk_errors import DiskFull, writing_into
from deployctl.build.temporary import owned_directory, owned_file, remove_leftovers
from tests.unit.build.trees import Repository

HOLD = """
import sys, time
from pathlib import Path
from deployctl.build.temporary import owned_directory, owned_file
with owned_directory("build") as folder, owned_file(Path(sys.argv[1]), "v1.tar.gz") as (file, path):
    (folder / "checkout").mkdir()
    (folder / "checkout" / "data").write_text("x")
    print(folder, path, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(temporary):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(temporary)], stdout=subprocess.PIPE, text=True
    )
    folder, file = map(Path, process.stdout.readline().split())
    yield process, folder, file
    process.kill()
    process.wait()
    process.stdout.close()


def test_copies_of_a_living_process_stay(temporary, holder):
    _, folder, file = holder
    remove_leftovers(temporary)
    assert (folder / "checkout" / "data").exists()
    assert file.exists()


def test_copies_of_a_killed_process_are_removed_by_the_next_run(temporary, holder):
    process, folder, file = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.exists()
    with owned_directory("build") as ours, owned_file(temporary, "v2.tar.gz"):
        assert ours.exists()
        assert not folder.exists()
        assert not file.exists()


def test_what_is_not_ours_stays(temporary):
    (temporary / "deployctl-build-notes").mkdir()
    (temporary / "deployctl-plan.json").write_text("{}")
    (temporary / "elsewhere").mkdir()
    (temporary / "deployctl-build-link").symlink_to(temporary / "elsewhere")
    (temporary / ".deployctl-notes.txt").write_text("")
    before = set(temporary.iterdir())
    remove_leftovers(temporary)
    assert set(temporary.iterdir()) == before


def test_a_directory_is_gone_after_its_context(temporary):
    with owned_directory("build") as folder:
        (folder / "deep").mkdir()
    assert not folder.exists()


def test_a_directory_that_cannot_be_emptied_is_left_to_a_later_run(temporary):
    with owned_directory("build") as folder:
        locked = folder / "locked"
        locked.mkdir()
        (locked / "file").write_text("")
        locked.chmod(0o500)
    if folder.exists():
        (folder / "locked").chmod(0o700)
        remove_leftovers(temporary)
    assert not folder.exists()


def full(_command: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_by_a_folder_that_still_exists(temporary):
    with (
        pytest.raises(DiskFull) as caught,
        owned_directory("build") as folder,
        writing_into(folder / "checkout"),
    ):
        full("write")
    assert caught.value.noun == str(temporary)
    assert caught.value.remedy.startswith(f"df -h {temporary}")


def test_a_full_disk_under_git_is_a_full_disk(temporary):
    repository = Repository(temporary / "repository")
    repository.path.mkdir()
    repository.git("init", "-q")
    repository.write("big", os.urandom(3_000_000))
    limit = f"ulimit -f 1024; trap '' XFSZ; exec {sys.executable} -c \"$0\""
    code = (
        "from pathlib import Path\n"
        "from deployctl.build.working_tree import snapshot\n"
        "try:\n"
        f"    with snapshot(Path({str(repository.path)!r})): pass\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error.noun)\n"
    )
    done = subprocess.run(["bash", "-c", limit, code], capture_output=True, text=True, check=False)
    assert done.stdout == f"DiskFull {temporary}\n", done.stderr

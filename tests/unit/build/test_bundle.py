"""The bundle: one digest on any machine, unpacked by anyone to what was committed."""

import base64
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import textwrap
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.build import tar
from deployctl.build.content_checks import ContentInspector
from deployctl.build.directory_tree import DirectoryTree
from deployctl.build.disk_errors import DiskFull, DiskWriteFailed
from deployctl.build.git_tree import CommittedTree
from deployctl.build.ignore_patterns import Patterns
from deployctl.build.secrets import SecretInBundle
from deployctl.build.tree import Entry, Kind
from tests.examples import examples
from tests.unit.build.trees import Quiet, Repository, packed, unpacked, write_tree

HOSTILE = {
    b"new\nline": b"1",
    b"not-utf8-\xff\xfe": b"2",
    "ünïcödé ☃".encode(): b"3",
    b"-rf": b"4",
    b"deep/" * 60 + b"x" * 200: b"5",
    b"x" * 100: b"6",
    b"x" * 101: b"7",
    b" blanks ": b"8",
    b"back\\slash": b"9",
    b"empty": b"",
}


def clone_made_elsewhere(repository: Repository, where: Path, *, umask: int, **config: str) -> Path:
    """A clone with another umask, other line endings and other times."""
    options = [f"--config={key}={value}" for key, value in config.items()]
    subprocess.run(["git", "clone", "-q", *options, repository.path, where], check=True, umask=umask)
    for path in where.rglob("*"):
        if ".git" not in path.parts and not path.is_symlink():
            os.utime(path, (1_000_000_000, 1_000_000_000))
    subprocess.run(["git", "status"], cwd=where, check=True, capture_output=True)
    return where


def test_two_clones_of_one_commit_have_one_digest(repository, build_in, tmp_path):
    repository.write(".gitattributes", "*.txt text=auto\n*.sub export-subst\nsecretless export-ignore\n")
    repository.write("readme.txt", "one\ntwo\n")
    repository.write("v.sub", "$Format:%H$\n")
    repository.write("secretless", "kept\n")
    (repository.path / "link").symlink_to("readme.txt")
    repository.commit()
    clone = clone_made_elsewhere(
        repository, tmp_path / "clone", umask=0o077, **{"core.autocrlf": "true", "core.eol": "crlf"}
    )
    here = build_in(repository, directory=tmp_path / "a")
    there = build_in(clone, directory=tmp_path / "b")
    assert (clone / "readme.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert here.manifest.digest == there.manifest.digest
    assert here.path.read_bytes() == there.path.read_bytes()
    assert unpacked(here.path)[b"v.sub"] == ("0644", b"$Format:%H$\n")
    assert unpacked(here.path)[b"secretless"] == ("0644", b"kept\n")


def test_gnu_tar_and_python_unpack_what_was_committed(repository, build_in, tmp_path):
    write_tree(repository.path, HOSTILE)
    repository.write("run", "#!/bin/sh\n", executable=True)
    (repository.path / "link").symlink_to("app.py")
    (repository.path / "dangling").symlink_to("no/" * 50 + "where")
    repository.commit()
    bundle = build_in(repository).path

    target = tmp_path / "worker"
    target.mkdir()
    done = subprocess.run(["tar", "-zxpsf", bundle, "-C", target], capture_output=True, text=True, check=True)
    assert done.stderr == ""

    by_python = unpacked(bundle)
    for name, content in HOSTILE.items():
        assert (target / os.fsdecode(name)).read_bytes() == content
        assert by_python[name] == ("0644", content)
    assert (target / "run").stat().st_mode & 0o7777 == 0o755
    assert (target / "app.py").stat().st_mode & 0o7777 == 0o644
    assert (target / "hooks").stat().st_mode & 0o7777 == 0o755
    assert (target / "link").readlink() == Path("app.py")
    assert (target / "dangling").readlink() == Path("no/" * 50 + "where")


def test_the_file_is_one_gzip_member_without_name_or_time(tmp_path):
    write_tree(tmp_path / "tree", {b"big": os.urandom(5_000_000), b"small": b"x" * 3_000_000})
    bundle = packed(tmp_path / "tree", tmp_path / "b.tar.gz")
    data = bundle.path.read_bytes()
    assert data[:8] == b"\x1f\x8b\x08\0\0\0\0\0"  # deflate, no flags, no time
    one_member = zlib.decompressobj(31)
    tar = one_member.decompress(data)
    assert one_member.eof
    assert one_member.unused_data == b""
    assert hashlib.sha256(tar).hexdigest() == bundle.digest
    assert tar == gzip.decompress(data)


def test_the_figures_are_those_of_the_file(tmp_path):
    write_tree(tmp_path / "tree", {b"a": b"12345", b"b/c": b"678"})
    bundle = packed(tmp_path / "tree", tmp_path / "b.tar.gz")
    data = bundle.path.read_bytes()
    assert bundle.checksum_sha256 == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert (bundle.size_bytes, bundle.unpacked_bytes, bundle.file_count) == (len(data), 8, 2)


def test_a_commit_and_its_checkout_list_the_same_order(repository):
    for name in ("a/b", "a-b", "a.b", "a0", "aa/x", "ü", "A"):
        repository.write(name)
    repository.commit()
    committed = CommittedTree(repository.path, "HEAD^{tree}").entries
    assert list(committed) == sorted(committed, key=lambda entry: entry.path)
    assert committed == DirectoryTree(repository.path).entries


def test_members_carry_nothing_of_the_machine_and_come_in_order(tmp_path):
    write_tree(tmp_path / "tree", {b"b/c": b"", b"a": b"", b"b-d": b"", b"b/a/x": b""})
    with tarfile.open(packed(tmp_path / "tree", tmp_path / "b.tar.gz").path) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == ["a", "b-d", "b", "b/a", "b/a/x", "b/c"]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 0)}


NAMES = st.binary(min_size=1, max_size=120).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..", b".git")
)
CONTENTS = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=3_000)),
    st.tuples(st.just("executable"), st.sampled_from([b"", b"#!/bin/sh\n", b"x" * 1_500_000])),
    st.tuples(st.just("symlink"), NAMES),
)


def lay_out(root: Path, tree: dict[tuple[bytes, ...], tuple[str, bytes]]) -> dict[bytes, tuple[str, bytes]]:
    """Write what a file system can hold of this; returns what was written."""
    written = {}
    for parts, (kind, content) in tree.items():
        path = root / os.fsdecode(b"/".join(parts))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "symlink":
                path.symlink_to(os.fsdecode(content))
            else:
                with path.open("xb") as file:
                    file.write(content)
                path.chmod(0o755 if kind == "executable" else 0o640)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # A file stands where a folder is wanted.
        seen_as = {"symlink": "link", "executable": "0755", "file": "0644"}[kind]
        written[b"/".join(parts)] = (seen_as, content)
    return written


@examples(suite=60, soak=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map(tuple), CONTENTS, max_size=8))
def test_any_tree_comes_back_as_it_went_in(tree, tmp_path_factory):
    place = tmp_path_factory.mktemp("tree")
    (place / "tree").mkdir()
    # Symlinks last: a folder must not be made through one.
    ordered = dict(sorted(tree.items(), key=lambda item: item[1][0] == "symlink"))
    written = lay_out(place / "tree", ordered)
    bundle = packed(place / "tree", place / "b.tar.gz")
    assert unpacked(bundle.path) == written


@pytest.mark.parametrize("length", [100, 101, 155, 256, *range(980, 1000), 4_000])
def test_a_long_name_is_read_back_whole(length):
    name = b"x" * length
    header = tar.header(Entry(path=name, kind=Kind.SYMLINK, size_bytes=1), name, mtime_s=0)
    with tarfile.open(fileobj=io.BytesIO(header)) as archive:
        member = archive.next()
    assert (member.name, member.linkname) == (name.decode(), name.decode())


def test_a_file_above_the_ustar_limit_gets_a_pax_size():
    header = tar.header(Entry(path=b"huge", kind=Kind.FILE, size_bytes=8**11), mtime_s=0)
    with tarfile.open(fileobj=io.BytesIO(header)) as archive:
        assert archive.next().size == 8**11


def in_a_process_of_its_own(script: str) -> str:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


LIMITED = """
    import resource
    from pathlib import Path
    from deployctl.build.disk_errors import DiskFull
    from tests.unit.build.trees import packed
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        packed(Path({tree!r}), Path({out!r}) / "b.tar.gz")
    except DiskFull as error:
        print(error.noun, error.exit_code.name)
"""


def test_a_full_disk_names_the_directory_and_leaves_nothing(tmp_path):
    out = tmp_path / "out"
    write_tree(tmp_path / "tree", {b"big": os.urandom(3_000_000)})
    said = in_a_process_of_its_own(LIMITED.format(tree=os.fspath(tmp_path / "tree"), out=os.fspath(out)))
    assert said.split() == [os.fspath(out), "FAILED"]
    assert list(out.iterdir()) == []


class Interrupting(Quiet):
    def inspect(self, entry: Entry, start: bytes) -> None:
        if entry.path == b"last":
            raise KeyboardInterrupt


@pytest.mark.parametrize("old", [None, b"the bundle from before"])
def test_an_interrupt_leaves_what_was_there(tmp_path, old):
    out = tmp_path / "out" / "b.tar.gz"
    out.parent.mkdir()
    if old is not None:
        out.write_bytes(old)
    write_tree(tmp_path / "tree", {b"first": os.urandom(3_000_000), b"last": b""})
    with pytest.raises(KeyboardInterrupt):
        packed(tmp_path / "tree", out, Interrupting())
    assert [path.read_bytes() for path in out.parent.iterdir()] == ([] if old is None else [old])


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    write_tree(tmp_path / "tree", {b"a": b""})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskWriteFailed) as caught:
        packed(tmp_path / "tree", tmp_path / "file" / "b.tar.gz")
    assert not isinstance(caught.value, DiskFull)
    assert caught.value.noun == os.fspath(tmp_path / "file")


def test_memory_does_not_grow_with_the_bundle(tmp_path):
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tree" / "huge").open("wb") as file:
        file.truncate(200_000_000)
    grown_kb = in_a_process_of_its_own(f"""
        import resource
        from pathlib import Path
        from tests.unit.build.trees import packed
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        packed(Path({os.fspath(tmp_path / "tree")!r}), Path({os.fspath(tmp_path / "b.tar.gz")!r}))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """)
    assert int(grown_kb) < 40_000


def test_what_the_inspection_refuses_is_not_written(tmp_path):
    write_tree(tmp_path / "tree", {b"id_rsa": b"x"})
    with pytest.raises(SecretInBundle):
        packed(tmp_path / "tree", tmp_path / "out" / "b.tar.gz", ContentInspector(Patterns((), "test")))
    assert list((tmp_path / "out").iterdir()) == []

"""A printed command names exactly what it should, whatever the name, when it is pasted into a shell."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.command import only, shell_command, with_note
from tests.examples import examples

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=[]), max_size=12)


def read_by_bash(command):
    """The words after `printf`, as bash passes them on."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    return done.stdout


@examples(suite=30, soak=500)
@given(NAMES)
def test_a_shell_reads_any_name_back(name):
    command = shell_command("printf", "%s", name)
    assert command.isprintable()
    is_bytes = any("\udc80" <= character <= "\udcff" for character in name)
    assert is_bytes or read_by_bash(command) == name.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("mail-send", "mail-send"),
        ("mail send; rm", "'mail send; rm'"),
        ("it's\n$(x)", r"$'it\'s\012$(x)'"),
        ("back\\\tslash", r"$'back\\\011slash'"),
        ("\u202ev1", r"$'\342\200\256v1'"),
        ("caf\udce9", r"$'caf\351'"),
    ],
)
def test_names_are_quoted_where_a_shell_would_read_them_otherwise(name, quoted):
    assert shell_command("x", name) == f"x {quoted}"


def test_a_group_in_a_command_matches_itself_alone_and_survives_the_shell():
    assert shell_command("--group", only("mail-send")) == "--group mail-send"
    assert shell_command("--group", only("mail send; rm")) == "--group 'mail send; rm'"
    assert shell_command("--group", only("a*[b]?")) == "--group 'a[*][[]b][?]'"


def test_a_note_cannot_leave_its_comment():
    assert with_note("deployctl status", "v1\nrm -rf x") == "deployctl status   # v1?rm -rf x"

"""Commands to paste into a shell: every name in one is quoted here."""

from __future__ import annotations

import re
import shlex


def shell_command(*words: str) -> str:
    """The words as one command line, quoted where a shell would read them otherwise."""
    return shlex.join(words)


def with_note(command: str, note: str) -> str:
    """The note is a shell comment: a user can paste the whole line."""
    return f"{command}   # {note}"


def only(name: str) -> str:
    """The glob that matches only this name; not yet quoted."""
    return re.sub(r"[*?\[]", r"[\g<0>]", name)

"""Commands to paste into a shell: every name in one is quoted here, and every line can be printed."""

import re
import shlex

from deployctl.model.text import printable


def shell_command(*words: str) -> str:
    """The words as one command line, quoted where a shell would read them otherwise."""
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """One word, as `$'…'` (bash, zsh, POSIX 2024) where a character in it cannot be printed."""
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character.isprintable():
        return f"\\{character}" if character in "\\'" else character
    # Python decodes bytes of a file name that are not UTF-8 to these.
    is_byte = "\udc80" <= character <= "\udcff"
    encoded = character.encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in encoded)


def with_note(command: str, note: str) -> str:
    """The note is a shell comment: a user can paste the whole line."""
    return f"{command}   # {printable(note)}"


def only(name: str) -> str:
    """The glob that matches only this name; not yet quoted."""
    return re.sub(r"[*?\[]", r"[\g<0>]", name)

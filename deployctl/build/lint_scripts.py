"""Whether a hook's script can run. Sources: the agents' hook_executor.rb (v1) and lifecycle_event/script.rs (v2)."""

import codecs
import re
from collections.abc import Iterator

from deployctl.build.appspec import NAME, Script
from deployctl.build.bundle_files import Files, Place
from deployctl.build.lint_findings import BOTH, ONLY_V1, Finding, Refusal, error, warning
from deployctl.build.lint_refusals import ARCHIVE, script_failed, script_missing
from deployctl.build.tree import Kind, display_path
from deployctl.model.command import shell_command

_ELF = b"\x7fELF"
#: Agent v1 gives the path without quotes to Ruby, which splits it at blanks or, with one of these, calls sh.
_SHELL = re.compile(r"[&;|<>()$`\\\"'\n]")
_SHELL_PATTERN = re.compile(r"[*?\[\]]")
_UNBALANCED = re.compile(r"[()`\"']")
_CRLF_FIX = "save it with LF, and add `*.sh text eol=lf` to .gitattributes"


def script_findings(script: Script, files: Files) -> Iterator[Finding]:
    """The first finding with a refusal is what agent v1 reports for this script."""
    found = files.locate(script.location.encode("utf-8", "surrogateescape"))
    if found.place is Place.MISSING:
        message = f"{script.event} calls {script.location}, which is not in the bundle"
        refusal = script_missing(script.event, script.location)
        yield error(NAME, message, "add and commit it, or correct the path", script.line, refusal=refusal)
        return
    if found.place is Place.FOLDER:
        message = f"{script.event} calls {script.location}, which is a folder"
        how = f"error Errno::EACCES with message Permission denied - {ARCHIVE}/{script.location}"
        refusal = script_failed(script.event, script.location, how)
        yield error(NAME, message, "name the script itself", script.line, refusal=refusal)
        return
    yield from _shell_characters(script)
    entry = files.find(found.path)
    if entry is None:
        return
    path = display_path(entry.path)
    if entry.kind is not Kind.EXECUTABLE:
        message = "it is not executable, and the agent makes it so"
        name = entry.path.decode("utf-8", "surrogateescape")
        yield warning(path, message, shell_command("git", "update-index", "--chmod=+x", name))
    yield from _first_line(script, path, files.start(entry))


def _shell_characters(script: Script) -> Iterator[Finding]:
    location = script.location
    shell, blank = _SHELL.search(location), re.search(r"\s", location)
    fix = "rename it with letters, digits and `-._/` only"
    if shell is None and blank is None:
        if _SHELL_PATTERN.search(location):
            message = f"the location {location!r} is a pattern for a shell, which may find another file"
            yield warning(NAME, message, fix, script.line)
        return
    # Agent v2 uses a shell for `runas` only.
    fails_on = ONLY_V1 if script.runas is None else BOTH
    if shell is None:
        first = location.split()[0]
        how = f"error Errno::ENOENT with message No such file or directory - {ARCHIVE}/{first}"
        message = f"the location {location!r} has a blank, at which the agent splits it"
        refusal = script_failed(script.event, location, how)
        yield error(NAME, message, fix, script.line, refusal=refusal, fails_on=fails_on)
        return
    message = f"the location {location!r} has {shell[0]!r}, which the agent gives to a shell without quotes"
    how = f"exit code {2 if _UNBALANCED.search(location) else 127}"
    refusal = script_failed(script.event, location, how, f"[stderr]sh: 1: {ARCHIVE}/{location}: not found\n")
    yield error(NAME, message, fix, script.line, refusal=refusal, fails_on=fails_on)


def _first_line(script: Script, path: str, start: bytes) -> Iterator[Finding]:
    if start.startswith(_ELF):
        return
    first = start.split(b"\n", 1)[0]
    words = first[2:].split() if first.startswith(b"#!") else []
    if start.startswith(codecs.BOM_UTF8):
        message = "it starts with a byte-order mark: sh runs it, and reports its first line as not found"
        yield _by_sh(script, path, message, "save it as UTF-8 without BOM")
    elif not words:
        message = "its first line names no interpreter: sh runs it"
        yield _by_sh(script, path, message, "start it with `#!/bin/sh`")
    elif first.endswith(b"\r"):
        message = "its lines end with CRLF, so the interpreter is not found"
        yield error(path, message, _CRLF_FIX, 1, refusal=not_started(script, words))
    elif not words[0].startswith(b"/"):
        message = f"its interpreter {display_path(words[0])} has no absolute path, so it is not found"
        yield error(path, message, "start it with such as `#!/bin/sh`", 1, refusal=not_started(script, words))


def _by_sh(script: Script, path: str, message: str, fix: str) -> Finding:
    """Ruby and su start sh for a file without an interpreter. Agent v2 starts it by itself, which fails."""
    return warning(path, message, fix, 1, fails_on_v2=script.runas is None)


def not_started(script: Script, words: list[bytes]) -> Refusal:
    """How the agent fails to run a script whose first line names this interpreter, which is not there."""
    if script.runas is not None or words[0].endswith(b"/env"):
        return script_failed(script.event, script.location, "exit code 127")
    how = f"error Errno::ENOENT with message No such file or directory - {ARCHIVE}/{script.location}"
    return script_failed(script.event, script.location, how)

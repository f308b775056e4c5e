"""Compares the commit to release with the remote's tag of the version's name.

A shallow clone often lacks tags, and git never moves a tag that the clone already has: HEAD or an old commit would be
released under the name of the remote's tag.
"""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deployctl.build.git import environment, git, line
from deployctl.build.refs import has_tag, short
from deployctl.build.source import Source
from deployctl.errors import UsageError
from deployctl.model.command import shell_command, with_note
from deployctl.model.names import Version

#: How long the remote has for its answer, in seconds.
LIMIT_S = 8.0


class TagElsewhere(UsageError, code="tag-elsewhere"):
    """The remote's tag of the version's name is another commit than the one to release."""

    def __init__(self, source: Source, *, tag: str, remote: str, commit: str) -> None:
        ours = f"{source.ref} here is {short(source.commit)}"
        # In a complete clone, --depth would cut the history off.
        depth = ["--depth", "1"] if is_shallow(source.repo) else []
        super().__init__(
            f"tag {tag} at {remote} is {short(commit)}, but {ours}",
            noun=tag,
            remedy=with_note(
                shell_command("git", "fetch", *depth, "--force", remote, "tag", tag),
                f"then run the same command again; or --ref {short(source.commit)} to release this commit",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TagComparison:
    """`description` is the source's, with the remote's answer; `warning` if the answer is missing and matters."""

    description: str
    warning: str | None = None


class RemoteSilent(Exception):
    """The remote gave no answer in time, or an error."""


def compare_tag(source: Source, version: Version, *, limit_s: float = LIMIT_S) -> TagComparison:
    """Ask the remote for its tag named like the version, without any prompt, for `limit_s` seconds at most.

    A source that the user named, or a dirty one, is taken as given. Raises: TagElsewhere.
    """
    remote = _remote(source.repo)
    if source.is_named or source.dirty or remote is None:
        return TagComparison(description=source.description)
    try:
        commit = _remote_commit(source.repo, remote, version, limit_s)
    except RemoteSilent as silence:
        return TagComparison(
            description=source.description,
            warning=_warning(source, version, remote, str(silence)),
        )
    if commit is not None and commit != source.commit:
        raise TagElsewhere(source, tag=version, remote=remote, commit=commit)
    if has_tag(source.repo, version):
        return TagComparison(description=source.description)
    answer = f" or at {remote}" if commit is None else f"; tag {version} at {remote} is the same commit"
    return TagComparison(description=source.description + answer)


def is_shallow(repo: Path) -> bool:
    return line(repo, "rev-parse", "--is-shallow-repository") == "true"


def _warning(source: Source, version: Version, remote: str, silence: str) -> str | None:
    """Only a clone that probably lacks tags needs one: the tag may exist at the remote."""
    if has_tag(source.repo, version):
        return None
    if is_shallow(source.repo):
        what = "this clone is shallow"
    elif not git(source.repo, "for-each-ref", "--count=1", "refs/tags"):
        what = "this clone has no tags"
    else:
        return None
    return (
        f"{what}, so a tag {version} may exist at {remote} on another commit than {source.ref}"
        f" {short(source.commit)}; {silence}: {shell_command('git', 'fetch', '--tags', remote)}"
    )


def _remote(repo: Path) -> str | None:
    """The remote of the current branch, else origin, else the first."""
    remotes = git(repo, "remote").decode("utf-8", "surrogateescape").splitlines()
    branch = git(repo, "branch", "--show-current").decode("utf-8", "surrogateescape").strip()
    key = f"branch.{branch}.remote"
    tracked = git(repo, "config", "--default", "", "--get", key).decode().strip() if branch else ""
    for name in (tracked, "origin"):
        if name in remotes:
            return name
    return remotes[0] if remotes else None


def _remote_commit(repo: Path, remote: str, tag: str, limit_s: float) -> str | None:
    """The commit of the remote's tag; None if it has no such tag. Raises: RemoteSilent."""
    name = f"refs/tags/{tag}"
    listed = _ask(repo, ["git", "ls-remote", "--", remote, name, name + "^{}"], remote, limit_s)
    ids = {}
    for row in listed.splitlines():
        object_id, _, ref = row.partition("\t")
        ids[ref] = object_id
    return ids.get(name + "^{}", ids.get(name))


def _ask(repo: Path, command: list[str], remote: str, limit_s: float) -> str:
    # In a session of its own: no terminal to prompt on, and the transport's processes end with git.
    process = subprocess.Popen(
        command,
        cwd=repo,
        env=environment(_no_prompts()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        try:
            listed, _ = process.communicate(timeout=limit_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise RemoteSilent(f"{remote} did not answer within {limit_s:g} s") from error
            raise
    if process.returncode:
        raise RemoteSilent(f"{remote} could not be asked")
    return listed.decode("utf-8", "surrogateescape")


def _no_prompts() -> dict[str, str]:
    variables = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "GCM_INTERACTIVE": "never"}
    # In a CI the program named there prints a token; elsewhere it opens a window.
    return variables if os.environ.get("CI") else variables | {"GIT_ASKPASS": "", "SSH_ASKPASS": ""}

"""Which commit a name stands for, by git's rules, and whether the name is a tag, a branch or an expression."""

import re
from dataclasses import dataclass
from pathlib import Path

from deployctl.build.git import GitFailed, git, line
from deployctl.errors import UsageError
from deployctl.model.command import shell_command, with_note
from deployctl.model.text import printable

_TAGS, _HEADS, _REMOTES = "refs/tags/", "refs/heads/", "refs/remotes/"
_KINDS = {_TAGS: "tag", _HEADS: "branch", _REMOTES: "remote branch"}
_OBJECT_ID = re.compile(r"[0-9a-f]{4,64}")
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCommit:
    """`ref` is the name as typed, but `tags/v1` or `heads/v1` where both are called v1 and differ.

    `description` is for people: `tag v1 1a2b3c4`.
    """

    commit: str
    ref: str
    description: str


class UnknownRef(UsageError, code="ref-unknown"):
    """git knows no commit, branch or tag of this name. Remedy: correct --ref, or fetch the branch or tag."""

    def __init__(self, ref: str, remedy: str) -> None:
        super().__init__(f"git knows no commit {ref!r}", noun=ref, remedy=remedy)


class EmptyRef(UsageError, code="ref-empty"):
    """The given REF is empty, probably because a variable is not set."""

    def __init__(self, ref: str) -> None:
        super().__init__(
            "REF is empty: the variable that should hold it is probably not set",
            noun=ref,
            remedy="set the variable, or leave out REF to release the tag named like the version, else HEAD",
        )


def short(commit: str) -> str:
    """A commit's id as people read it."""
    return commit[:7]


def find_commit(repo: Path, name: str) -> NamedCommit:
    """The commit of this tag, branch, commit id or expression; a tag comes before a branch.

    Raises: UnknownRef, EmptyRef.
    """
    if not name.strip():
        raise EmptyRef(name)
    if name.startswith("-"):
        raise UnknownRef(name, "a ref never starts with '-'")
    commit = _commit_of(repo, name)
    if commit is None:
        raise UnknownRef(name, _remedy(repo, name))
    taken = next((ref for ref in _refs_called(repo, name) if _commit_of(repo, ref) == commit), None)
    if name in ("HEAD", "@") or taken is None:
        is_id = commit.startswith(name) and _OBJECT_ID.fullmatch(name)
        what = "commit" if is_id else name
        return _named_commit(commit, name, f"{what} {short(commit)}")
    return _named_by_ref(repo, name, taken, commit)


def has_tag(repo: Path, name: str) -> bool:
    return _TAGS + name in _existing(repo, [_TAGS + name])


def _named_by_ref(repo: Path, name: str, taken: str, commit: str) -> NamedCommit:
    kind, plain = _kind(taken)
    description = f"{kind} {plain} {short(commit)}".lstrip()
    alike = [ref for ref in (_TAGS + plain, _HEADS + plain) if ref != taken]
    others = {ref: _commit_of(repo, ref) for ref in _existing(repo, alike)}
    differing = {ref: other for ref, other in others.items() if other is not None and other != commit}
    for ref, other in differing.items():
        description += f"; {' '.join(_kind(ref))} is {short(other)}"
    label = taken.removeprefix("refs/") if differing else name.removeprefix(_TAGS)
    return _named_commit(commit, label, description)


def _named_commit(commit: str, ref: str, description: str) -> NamedCommit:
    """A name of a branch may have bytes that are not UTF-8, which no manifest can hold."""
    return NamedCommit(commit=commit, ref=printable(ref), description=printable(description))


def _kind(ref: str) -> tuple[str, str]:
    """`tag` and the tag's name for its full name; an empty kind for a ref of another kind."""
    for prefix, kind in _KINDS.items():
        if ref.startswith(prefix):
            return kind, ref.removeprefix(prefix)
    return "", ref


def _refs_called(repo: Path, name: str) -> list[str]:
    """The full names that this name may stand for, in git's order. Source: gitrevisions(7)."""
    return _existing(repo, [name, f"refs/{name}", _TAGS + name, _HEADS + name, _REMOTES + name])


def _existing(repo: Path, refs: list[str]) -> list[str]:
    # A pattern matches whole folders too: refs/tags/v1 lists refs/tags/v1/rc1.
    listed = git(repo, "for-each-ref", "--format=%(refname)", *refs).decode("utf-8", "surrogateescape")
    found = set(listed.splitlines())
    return [ref for ref in refs if ref in found]


def _commit_of(repo: Path, name: str) -> str | None:
    try:
        return line(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except GitFailed:
        return None


def _remedy(repo: Path, name: str) -> str:
    if name == "HEAD":
        return "commit something first"
    if _FULL_ID.fullmatch(name):
        return with_note(shell_command("git", "fetch", "origin", name), "this clone lacks the commit")
    tracked = git(repo, "for-each-ref", "--format=%(refname)", _REMOTES).decode("utf-8", "surrogateescape")
    for ref in tracked.splitlines():
        remote_branch = ref.removeprefix(_REMOTES)
        if remote_branch.partition("/")[2] == name:
            return with_note(
                shell_command("--ref", remote_branch), "only the remote has a branch of this name"
            )
    return with_note("git fetch --tags", f"then see whether `{shell_command('git', 'show', name)}` finds it")

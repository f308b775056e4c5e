"""Rejects secrets, by the rules in secret_rules.py and secret_names.py."""

from collections.abc import Sequence

from deployctl.build.secret_names import is_secret_by_name
from deployctl.build.secret_rules import find_secret
from deployctl.build.tree import Entry, Kind
from deployctl.errors import UsageError

_LISTED = 20
# A secret that starts at a chunk's end is searched for again with the next chunk.
_OVERLAP_BYTES = 4096


class SecretInBundle(UsageError, code="secret-in-bundle"):
    """The bundle would contain what looks like a secret.

    `found` are paths with the kind of secret.
    """

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        more = len(found) - _LISTED
        listed = tuple(f"{path}: {what}" for path, what in found[:_LISTED])
        super().__init__(
            f"the bundle would hold {len(found)} secret{'s' if len(found) > 1 else ''}",
            noun=found[0][0],
            remedy="name them in .deployctlignore, or in [build] allow_secrets if they are not secrets",
            details=(*listed, *((f"and {more} more",) if more > 0 else ())),
        )
        self.found = tuple(found)


class SecretSearch:
    """Searches the files of a bundle while it is made, one after the other and each chunk by chunk."""

    def __init__(self) -> None:
        self._end = b""

    def first_chunk(self, entry: Entry, chunk: bytes) -> str | None:
        """What the entry looks like by its name and its first chunk; None if it looks like no secret."""
        self._end = chunk[-_OVERLAP_BYTES:]
        if entry.kind is Kind.SYMLINK:
            return None
        if is_secret_by_name(entry.path, chunk):
            return "its name says it is a secret"
        return _described(find_secret(chunk))

    def next_chunk(self, chunk: bytes) -> str | None:
        """What a further chunk of the same entry looks like."""
        searched = self._end + chunk
        self._end = searched[-_OVERLAP_BYTES:]
        return _described(find_secret(searched))


def _described(what: str | None) -> str | None:
    return what and f"looks like {what}"

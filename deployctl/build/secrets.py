"""Rejects secrets. The rules are few, and each is rarely wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deployctl.build.tree import Entry, Kind
from deployctl.errors import UsageError

_LISTED = 20
_NAMES = re.compile(
    rb"""(?:.*/)? (?:
        \.env (?:\. (?!example|sample|template|dist) [^/]+ )?
        | id_(?:rsa|dsa|ecdsa|ed25519)
        | [^/]+ \. (?:key|p12|pfx|ppk|kdbx)
        | \.aws/credentials | \.netrc | \.pgpass | \.pypirc | \.git-credentials | \.htpasswd
    )""",
    re.VERBOSE | re.DOTALL,
)
# Each rule: bytes for a fast search, then an expression.
_CONTENTS = (
    (
        "a private key",
        b"PRIVATE KEY-----",
        rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=:\- ,]{16,}",
    ),
    ("an AWS access key", b"AKIA", rb"\bAKIA[A-Z2-7]{9}(?![A-Z2-7]{0,7}EXAMPLE)[A-Z2-7]{7}\b"),
    (
        "an AWS secret key",
        b"aws_secret_access_key",
        rb"aws_secret_access_key[\"']?\s*[=:]\s*[\"']?(?![A-Za-z0-9/+]{0,40}EXAMPLE)[A-Za-z0-9/+]{40}\b",
    ),
    ("a GitHub token", b"ghp_", rb"\bghp_[A-Za-z0-9]{36}\b"),
    ("a GitHub token", b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{60,}\b"),
)
_EXPRESSIONS = tuple((what, hint, re.compile(rule, re.MULTILINE)) for what, hint, rule in _CONTENTS)


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


def kind_of_secret(entry: Entry, start: bytes) -> str | None:
    """What the entry looks like, by its name and its first bytes; None if it looks like no secret."""
    if entry.kind is Kind.SYMLINK:
        return None
    if _NAMES.fullmatch(entry.path):
        return "its name says it is a secret"
    for what, hint, expression in _EXPRESSIONS:
        if hint in start and expression.search(start):
            return f"looks like {what}"
    # A certificate is public, and applications carry bundles of them.
    if (
        entry.path.endswith(b".pem")
        and b"-----BEGIN CERTIFICATE" not in start
        and b"PUBLIC KEY-----" not in start
    ):
        return "its name says it is a secret"
    return None
